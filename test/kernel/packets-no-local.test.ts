import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { ip, net } from '../support/addresses.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { silence } from '../support/patience.ts';
import { setNode } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { ShopService, serveAll, type Target, table } from '../support/traffic.ts';

// `externalTrafficPolicy: Local` on a node without an endpoint: pods and the node are answered from elsewhere, masqueraded; clients outside
// are not answered. Every answer is compared with the trace; test/properties/packets.test.ts has all detectors, and
// test/proxier/no-local.test.ts what is met while the last endpoint goes and comes back.

const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
/** Pods of another node. */
const distant = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);
const neighbour = network.addClient('neighbour', [ip('10.0.2.9'), ip('fd00:10:0:2::9')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const far = { host: distant, nodeName: 'elsewhere' };

const shop = new ShopService('web', 1);
const loadBalancer: Target = {
  addresses: { IPv4: ip('172.30.1.1'), IPv6: ip('fd00:172:30::1:1') },
  port: 80,
};
const external: Target = {
  addresses: { IPv4: ip('172.30.1.2'), IPv6: ip('fd00:172:30::1:2') },
  port: 80,
};
const frontEnds: readonly (readonly [string, Target])[] = [
  ['load balancer', loadBalancer],
  ['external address', external],
  ['node port', shop.nodePort],
];
const all = ({ addresses }: Target): readonly IpAddress[] => Object.values(addresses);

let servers: readonly Server[] = [];

function start(over: ConstructorParameters<typeof NodeProxy>[1] = {}): NodeProxy {
  const proxy = new NodeProxy(network.node.namespace, over);
  proxy.report(
    setNode(node({ name: 'here', addresses: Object.values(nodeAddresses) })),
    shop.service({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      loadBalancerIPs: all(loadBalancer),
      externalIPs: all(external),
    }),
    ...shop.slices(far),
  );
  return proxy;
}

beforeAll(() => {
  servers = serveAll(distant);
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

const saw = (server: Host, address: (family: 'IPv4' | 'IPv6') => string) =>
  table(({ family }) => `${server.name} saw ${address(family)}`);
const asNode = (family: 'IPv4' | 'IPv6') => nodeAddresses[family];
const unanswered = table(() => 'timeout');

describe('with a detector', () => {
  let proxy: NodeProxy;

  beforeAll(async () => {
    proxy = start();
    await proxy.settled();
  });

  afterAll(async () => {
    await proxy.stop();
  });

  test.each(frontEnds)('only strangers are kept from the %s', async (_, target) => {
    const elsewhere = saw(distant, asNode);
    for (const who of [caller, neighbour, network.node])
      expect(await traffic.askAll(who, target), who.name).toEqual(elsewhere);
    expect(await traffic.askAll(client, target, { patience: silence })).toEqual(unanswered);
  });

  test('a client on the host network that has the node’s own address is none', async () => {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const source = nodeAddresses[family];
      const kind = { protocol: 'TCP', family } as const;
      const answer = await traffic.ask(network.node, loadBalancer, { kind, source });
      expect(answer).toBe(`distant saw ${source}`);
    }
  });

  test('the cluster IP stays local: with internalTrafficPolicy: Local it is nobody’s', async () => {
    const answers = await traffic.askAll(caller, shop.vip, { patience: silence });
    expect(answers).toEqual(table(() => expect.stringMatching(/^(refused|timeout)$/)));
  });
});

describe('without a detector', () => {
  const ruleSettings = {
    ...proxierSettings.ruleSettings,
    detectLocal: { mode: 'ClusterCIDR', networks: [] },
  } as const;

  test('strangers are told by the Node’s pod networks, and without those by nothing', async () => {
    const proxy = start({ ruleSettings });
    await proxy.settled();
    traffic.changed();
    // Nobody can be told from a pod: they are answered, masqueraded.
    expect(await traffic.askAll(client, loadBalancer)).toEqual(saw(distant, asNode));
    const podCIDRs = [net('10.0.1.0/24'), net('fd00:10:0:1::/64')];
    proxy.report(setNode(node({ addresses: Object.values(nodeAddresses), podCIDRs })));
    proxy.report(...shop.slices(far));
    await proxy.settled();
    traffic.changed();
    expect(await traffic.askAll(client, loadBalancer, { patience: silence })).toEqual(unanswered);
    expect(await traffic.askAll(caller, loadBalancer)).toEqual(saw(distant, asNode));
    await proxy.stop();
  });
});
