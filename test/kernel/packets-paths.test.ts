import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RuleSettings } from '../../pkg/proxy/apply/rule-source.ts';
import { ip, net } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { setNode } from '../support/proxier.ts';
import { addressOf, askAll, ShopService, serveAll, type Table, table } from '../support/traffic.ts';

// Who reaches a Service, and as whom: every way through the node, in every mode of telling pods from strangers.
// One proxier after another works on the same node, so each adopts what the last one left, with other rules.

const shop = new ShopService('web', 1);
const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
/** A pod of another node, whose packets come in from outside. */
const distantPod = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
let servers: readonly Server[] = [];

beforeAll(() => {
  servers = serveAll(web);
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
}

const clusterCIDR = [net('10.0.0.0/8'), net('fd00:10::/32')];

const modes: readonly Mode[] = [
  {
    name: 'cluster-cidr',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: clusterCIDR } },
    masqueraded: [network.node, client],
  },
  {
    name: 'node-cidr',
    settings: { detectLocal: { mode: 'NodeCIDR' } },
    masqueraded: [network.node, client, distantPod],
  },
  {
    name: 'interface-name-prefix',
    settings: { detectLocal: { mode: 'interface', name: 'v-+' } },
    masqueraded: [network.node, client, distantPod],
  },
  {
    name: 'masquerade-all',
    settings: {
      masqueradeAll: true,
      detectLocal: { mode: 'ClusterCIDR', networks: clusterCIDR },
    },
    masqueraded: [network.node, client, distantPod, caller],
  },
  {
    name: 'no-detector',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: [] } },
    masqueraded: [network.node],
  },
];

function seenAs(who: Host): Table {
  return table(({ family }) => `web saw ${addressOf(who, family)}`);
}

const seenAsNode = table(({ family }) => `web saw ${nodeAddresses[family]}`);

describe.each(modes)('mode $name', ({ name, settings, masqueraded }) => {
  let proxy: NodeProxy;

  beforeAll(async () => {
    const detectLocal = { mode: 'ClusterCIDR', networks: clusterCIDR } as const;
    proxy = new NodeProxy(network.node.namespace, {
      ruleSettings: { masqueradeMark: 0x4000, masqueradeAll: false, detectLocal, ...settings },
    });
    proxy.tell(
      setNode(node({ podCIDRs: [net('10.0.1.0/24'), net('fd00:10:0:1::/64')] })),
      shop.service(),
      ...shop.slices(web),
    );
    await proxy.settled();
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
    expect(await askAll(who, shop.vip)).toEqual(
      masqueraded.includes(who) ? seenAsNode : seenAs(who),
    );
  });

  test('a pod reaches itself through its own Service, masqueraded', async () => {
    expect(await askAll(web, shop.vip)).toEqual(seenAsNode);
  });

  test.each([
    ['a client outside', client],
    ['a pod of this node', caller],
    ['the node', network.node],
  ])('%s reaches the node port, masqueraded', async (_, who) => {
    expect(await askAll(who, shop.nodePort)).toEqual(seenAsNode);
  });

  test('the state is the golden one', async () => {
    await expectGolden(network.node.namespace, `paths-${name}`);
  });
});
