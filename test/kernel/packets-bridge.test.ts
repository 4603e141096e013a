import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { TracedTraffic } from '../support/traced-traffic.ts';
import { addressOf, ShopService, serveAll, table } from '../support/traffic.ts';

// Pods on a bridge, detect-local mode BridgeInterface. A pod's answer to its neighbour would pass the node unseen, and be one
// of a stranger: `br_netfilter` shows bridged packets to IPVS and iptables. It must be asked for, as any rule that
// looks at bridge ports loads the module behind everybody's back.

const bridge = { IPv4: ip('10.0.1.254'), IPv6: ip('fd00:10:0:1::fe') } as const;
const shop = new ShopService('web', 1);
const network = new Network();
const traffic = new TracedTraffic(network);
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
network.addBridge('cni0', [
  { address: bridge.IPv4, length: 24 },
  { address: bridge.IPv6, length: 64 },
]);
const web = network.addBridgedPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')], 'cni0');
const caller = network.addBridgedPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')], 'cni0');
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  network.node.namespace.run('modprobe', 'br_netfilter');
  network.node.namespace.run(
    'sysctl',
    '-qw',
    'net.bridge.bridge-nf-call-iptables=1',
    'net.bridge.bridge-nf-call-ip6tables=1',
  );
  servers = serveAll(web);
  proxy = new NodeProxy(network.node.namespace, {
    ruleSettings: {
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      detectLocal: { mode: 'interface', name: 'cni0' },
    },
  });
  proxy.report(shop.service(), ...shop.slices(web));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

/** What is masqueraded leaves by the bridge and gets its address. */
const seenAsNode = table(({ family }) => `web saw ${bridge[family]}`);

describe('pods on a bridge', () => {
  test('a neighbour reaches the cluster IP as itself', async () => {
    expect(await traffic.askAll(caller, shop.vip)).toEqual(
      table(({ family }) => `web saw ${addressOf(caller, family)}`),
    );
  });

  test('a pod reaches itself through its own Service, masqueraded', async () => {
    expect(await traffic.askAll(web, shop.vip)).toEqual(seenAsNode);
  });

  test('the node and a client outside reach the cluster IP, masqueraded', async () => {
    expect(await traffic.askAll(network.node, shop.vip)).toEqual(seenAsNode);
    expect(await traffic.askAll(client, shop.vip)).toEqual(seenAsNode);
  });

  test('a client outside reaches the node port on each of the node’s addresses, masqueraded', async () => {
    expect(await traffic.askAll(client, shop.nodePort)).toEqual(seenAsNode);
    expect(await traffic.askAll(client, { ...shop.nodePort, addresses: bridge })).toEqual(
      seenAsNode,
    );
  });

  test('the state is the golden one', async () => {
    await expectGolden(network.node.namespace, 'bridge');
  });
});
