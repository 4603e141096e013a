import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { Hammer } from '../support/hammer.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { PacketExplainer } from '../support/packet-explainer.ts';
import { silence } from '../support/patience.ts';
import { setNode } from '../support/proxier.ts';
import { addressOf, type PodEndpoint, ShopService, serveAll, table } from '../support/traffic.ts';

// `externalTrafficPolicy: Local` while the last local endpoint goes and comes back: clients inside the cluster are always answered, here or
// elsewhere; a client outside is answered here with its own address, or not at all. test/proxier/no-local.test.ts looks at what packets
// meet after each write.

const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
/** A pod of another node. */
const distant = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const far = { host: distant, nodeName: 'elsewhere' };
const shop = new ShopService('web', 1);
const vips = { IPv4: ip('172.30.1.1'), IPv6: ip('fd00:172:30::1:1') };
const target = { addresses: vips, port: 80, firstSourcePort: 10_000 };
const servers: Server[] = [];
const insiders = [caller, network.node];
const explainer = new PacketExplainer(network);
let proxy: NodeProxy;
let inside: readonly Hammer[] = [];
let outside: Hammer;

beforeAll(async () => {
  servers.push(...[distant, web].flatMap((host) => serveAll(host)));
  proxy = new NodeProxy(network.node.namespace);
  proxy.report(
    setNode(node({ name: 'here', addresses: Object.values(nodeAddresses) })),
    shop.service({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerIPs: Object.values(vips),
    }),
    ...shop.slices(far, web),
  );
  await proxy.settled();
  inside = insiders.map((host) => new Hammer(host, target));
  outside = new Hammer(client, { ...target, patience: silence });
});

afterAll(async () => {
  for (const hammer of [...inside, outside]) await hammer.stop();
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

/** Reports the endpoints, and waits until they are in the kernel and every client got since what is explained. */
async function tried(...endpoints: readonly PodEndpoint[]): Promise<void> {
  proxy.report(...shop.slices(...endpoints));
  await proxy.proxier.idle();
  explainer.changed();
  const judged = inside.map(
    (hammer, index) => explainer.judgeNext(hammer, { host: insiders[index] as Host, target }), // as many
  );
  await Promise.all([
    ...judged,
    explainer.judgeNext(outside, { host: client, target, isHasty: true }),
  ]);
}

describe('a load balancer whose traffic is to stay local', () => {
  test.each(Array.from({ length: 2 }, (_, index) => index + 1))(
    'the last local endpoint goes and comes back (%i)',
    async () => {
      await tried(far, { host: web, ready: false, serving: false });
      expect(new Set(Object.values(await outside.next(1)).flat())).toEqual(new Set(['timeout']));
      await tried(far, web);
    },
  );

  test('clients inside were always answered, the one outside by the local endpoint or not at all', () => {
    for (const [index, hammer] of inside.entries())
      expect(hammer.failures(), `${index}`).toEqual(table(() => []));
    for (const [kind, answers] of Object.entries(outside.answers)) {
      const family = kind.endsWith('IPv4') ? 'IPv4' : 'IPv6';
      const own = `web saw ${addressOf(client, family)}`;
      expect(new Set(answers), kind).toEqual(new Set([own, 'timeout']));
    }
  });
});
