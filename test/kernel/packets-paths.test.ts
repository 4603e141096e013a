import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Family } from '../../pkg/ip/address.ts';
import type { RuleSettings } from '../../pkg/proxy/apply/rule-source.ts';
import { ip, net } from '../support/addresses.ts';
import { type Differences, expectGolden } from '../support/golden.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { setNode } from '../support/proxier.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { addressOf, ShopService, serveAll, type Table, table } from '../support/traffic.ts';

// Who reaches a Service, and as whom: each way through the node once, and each rule by which a mode tells pods from strangers.
// One proxier after another works on the same node, so each adopts what the last one left, with other rules. Every answer is compared
// with the trace of the kernel's state; pkg/trace/combinations.test.ts then has the combinations.

const shop = new ShopService('web', 1);
/** Its endpoint is the node itself, as a pod in the host's network is. */
const host = new ShopService('host', 2);
const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
/** A pod of another node, whose packets come in from outside. */
const distantPod = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const servers: Server[] = [];

beforeAll(() => {
  servers.push(...serveAll(web));
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

interface Mode {
  readonly name: string;
  readonly settings: Partial<RuleSettings>;
  /** Whose requests to a cluster IP the server sees as the node's; all others as their own. */
  readonly masqueraded: readonly Host[];
  /** From the golden state of mode ClusterCIDR. */
  readonly differences: Differences;
}

const clusterCIDR = [net('10.0.0.0/8'), net('fd00:10::/32')];

/** Another mode has another condition in one rule of each family. */
function condition(text: Readonly<Record<Family, string>>): Differences {
  return { '! -s 10.0.0.0/8 -m': `${text.IPv4}-m`, '! -s fd00:10::/32 -m': `${text.IPv6}-m` };
}

const modes: readonly Mode[] = [
  {
    name: 'ClusterCIDR',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: clusterCIDR } },
    masqueraded: [network.node, client],
    differences: {},
  },
  {
    name: 'NodeCIDR',
    settings: { detectLocal: { mode: 'NodeCIDR' } },
    masqueraded: [network.node, client, distantPod],
    differences: condition({ IPv4: '! -s 10.0.1.0/24 ', IPv6: '! -s fd00:10:0:1::/64 ' }),
  },
  {
    name: 'InterfaceNamePrefix',
    settings: { detectLocal: { mode: 'interface', name: 'v-+' } },
    masqueraded: [network.node, client, distantPod],
    differences: condition({ IPv4: '! -i v-+ ', IPv6: '! -i v-+ ' }),
  },
  {
    name: 'masquerade-all',
    settings: {
      masqueradeAll: true,
      detectLocal: { mode: 'ClusterCIDR', networks: clusterCIDR },
    },
    masqueraded: [network.node, client, distantPod, caller],
    differences: condition({ IPv4: '', IPv6: '' }),
  },
  {
    name: 'without a detector',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: [] } },
    masqueraded: [network.node],
    differences: {
      ...condition({ IPv4: '', IPv6: '' }),
      'KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ': 'KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ',
      'KUBE-6-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ': 'KUBE-6-CLUSTER-IP src,dst -j KUBE-MARK-MASQ',
    },
  },
];

function seenAs(who: Host): Table {
  return table(({ family }) => `web saw ${addressOf(who, family)}`);
}

const seenAsNode = table(({ family }) => `web saw ${nodeAddresses[family]}`);

function startProxy(settings: Partial<RuleSettings>): NodeProxy {
  const detectLocal = { mode: 'ClusterCIDR', networks: clusterCIDR } as const;
  const proxy = new NodeProxy(network.node.namespace, {
    ruleSettings: { masqueradeMark: 0x4000, masqueradeAll: false, detectLocal, ...settings },
  });
  proxy.report(
    setNode(node({ podCIDRs: [net('10.0.1.0/24'), net('fd00:10:0:1::/64')] })),
    shop.service(),
    ...shop.slices(web),
  );
  return proxy;
}

describe.each(modes)('mode $name', ({ settings, masqueraded, differences }) => {
  let proxy: NodeProxy;

  beforeAll(async () => {
    proxy = startProxy(settings);
    await proxy.settled();
    traffic.changed();
  });

  afterAll(async () => {
    await proxy.stop();
  });

  test.each([
    ['a pod of this node', caller],
    ['the node', network.node],
    ['a pod of another node', distantPod],
    ['a client outside', client],
  ])('%s reaches the cluster IP', async (_, who) => {
    expect(await traffic.askAll(who, shop.vip)).toEqual(
      masqueraded.includes(who) ? seenAsNode : seenAs(who),
    );
  });

  test('the state is the golden one', async () => {
    await expectGolden(network.node.namespace, 'paths', differences);
  });
});

describe('whatever the mode', () => {
  let proxy: NodeProxy;

  beforeAll(async () => {
    proxy = startProxy({});
    for (const server of serveAll(network.node)) servers.push(server);
    proxy.report(host.service(), ...host.slices(network.node));
    await proxy.settled();
    traffic.changed();
  });

  afterAll(async () => {
    await proxy.stop();
  });

  test('a pod reaches itself through its own Service, masqueraded', async () => {
    expect(await traffic.askAll(web, shop.vip)).toEqual(seenAsNode);
  });

  test.each([
    ['a client outside', client],
    ['a pod of this node', caller],
    ['the node', network.node],
  ])('%s reaches the node port, masqueraded', async (_, who) => {
    expect(await traffic.askAll(who, shop.nodePort)).toEqual(seenAsNode);
  });

  test.each([
    ['a client outside', client],
    ['a pod of this node', caller],
  ])('%s reaches a real server on the node itself, never masqueraded', async (_, who) => {
    const seen = table(({ family }) => `node saw ${addressOf(who, family)}`);
    expect(await traffic.askAll(who, host.vip)).toEqual(seen);
    expect(await traffic.askAll(who, host.nodePort)).toEqual(seen);
  });

  test('the node reaches a real server on itself', async () => {
    const seen = table(({ family }) => `node saw ${nodeAddresses[family]}`);
    expect(await traffic.askAll(network.node, host.vip)).toEqual(seen);
    expect(await traffic.askAll(network.node, host.nodePort)).toEqual(seen);
  });

  test('a client outside reaches a pod without any Service, as itself', async () => {
    const addresses = { IPv4: addressOf(web, 'IPv4'), IPv6: addressOf(web, 'IPv6') };
    expect(await traffic.askAll(client, { addresses, port: 8080 })).toEqual(seenAs(client));
  });
});
