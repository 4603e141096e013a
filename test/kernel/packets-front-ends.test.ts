import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { ip } from '../support/addresses.ts';
import { frontEnds, sourceRanges } from '../support/front-ends.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import { silence } from '../support/patience.ts';
import { setNode, setService, setSlice } from '../support/proxier.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { addressOf, serveAll, table } from '../support/traffic.ts';

// External addresses and those of load balancers: packets on each way that no Service with a cluster IP and a node port takes.
// pkg/trace/front-ends.test.ts has all clients and front ends.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const stranger = network.addClient('stranger', [ip('203.0.113.99'), ip('2001:db8:203:113::99')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
let servers: readonly Server[] = [];

/** Services with these front ends, one each, whose only endpoint is on this node. */
function objects(): readonly Change[] {
  const ports = protocols.map((protocol) => servicePort({ name: protocol, protocol }));
  const targets = protocols.map((protocol) => ({ name: protocol, protocol, port: 8080 }));
  return Object.entries(frontEnds).flatMap(
    ([name, { kind, isLocal, ranges, addresses }], index) => {
      const own = families.map((family) => addresses[family]);
      const made = service({
        name,
        ports,
        created: index,
        type: kind === 'loadBalancer' ? 'LoadBalancer' : isLocal ? 'NodePort' : 'ClusterIP',
        clusterIPs: [ip(`172.30.2.${index}`), ip(`fd00:172:30::2:${index}`)],
        externalTrafficPolicy: isLocal ? 'Local' : 'Cluster',
        ...(kind === 'external' ? { externalIPs: own } : { loadBalancerIPs: own }),
        sourceRanges: sourceRanges(ranges),
      });
      const slices = families.map((family) =>
        slice([endpoint(addressOf(web, family), { nodeName: 'here' })], {
          name: `${name}-${family}`,
          serviceName: name,
          ports: targets,
        }),
      );
      return [setService(made), ...slices.map(setSlice)];
    },
  );
}

let proxy: NodeProxy;

beforeAll(async () => {
  servers = serveAll(web);
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(
    setNode(node({ name: 'here', addresses: Object.values(nodeAddresses) })),
    ...objects(),
  );
  await proxy.settled();
});

afterAll(async () => {
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

const asNode = table(({ family }) => `web saw ${nodeAddresses[family]}`);
const asItself = (who: Host) => table(({ family }) => `web saw ${addressOf(who, family)}`);
const dropped = table(() => 'timeout');

function ask(
  who: Host,
  { addresses }: (typeof frontEnds)[keyof typeof frontEnds],
  patience?: number,
) {
  return traffic.askAll(who, { addresses, port: 80 }, patience === undefined ? {} : { patience });
}

describe('an external address', () => {
  test('hides its clients', async () => {
    expect(await ask(client, frontEnds.external)).toEqual(asNode);
    expect(await ask(network.node, frontEnds.external)).toEqual(asNode);
  });

  test('with the policy Local shows them', async () => {
    expect(await ask(client, frontEnds.externalLocal)).toEqual(asItself(client));
    expect(await ask(caller, frontEnds.externalLocal)).toEqual(asItself(caller));
  });
});

describe('a load balancer', () => {
  test('hides its clients', async () => {
    expect(await ask(client, frontEnds.balanced)).toEqual(asNode);
  });

  test('with the policy Local shows them', async () => {
    expect(await ask(client, frontEnds.balancedLocal)).toEqual(asItself(client));
  });

  test('with source ranges serves those in them, and is silent to all others', async () => {
    expect(await ask(client, frontEnds.ranged)).toEqual(asNode);
    expect(await ask(stranger, frontEnds.ranged, silence)).toEqual(dropped);
    expect(await ask(caller, frontEnds.ranged, silence)).toEqual(dropped);
  });

  test('is silent to the node itself where that is not in its source ranges', async () => {
    expect(await ask(network.node, frontEnds.ranged)).toEqual(asNode);
    expect(await ask(network.node, frontEnds.rangedAway, silence)).toEqual(dropped);
    expect(await ask(client, frontEnds.rangedAway)).toEqual(asNode);
  });
});
