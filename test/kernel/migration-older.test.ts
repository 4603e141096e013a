import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ip, net } from '../support/addresses.ts';
import { expectGolden } from '../support/golden.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node } from '../support/objects.ts';
import { setNode } from '../support/proxier.ts';
import { linesOf, restoreState, restoreSysctls } from '../support/restore-state.ts';
import type { Stream } from '../support/stream.ts';
import { ShopService, serveAll } from '../support/traffic.ts';
import { expectAlive, openStreams, underLoad, type Way } from '../support/under-load.ts';

// A node as an earlier state of this program left it (the golden state of commit 86029be, in the same mode and for the same Service):
// without the sets KUBE-IPVS-NO-LOCAL.

const older = readFileSync(new URL('../fixtures/older-state.txt', import.meta.url), 'utf8');
const shop = new ShopService('web', 1);
const network = new Network();
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const { namespace } = network.node;
/** From a pod, from the node, and from outside. */
const ways: readonly Way[] = [
  [caller, shop.vip],
  [network.node, shop.vip],
  [client, shop.nodePort],
];
const streams: Stream[] = [];
let servers: readonly Server[] = [];
let proxy: NodeProxy | undefined;

beforeAll(async () => {
  servers = serveAll(web);
  restoreState(namespace, older);
  restoreSysctls(namespace, older);
  streams.push(...(await openStreams(ways)));
});

afterAll(async () => {
  await Promise.all(streams.map((stream) => stream.stop()));
  await proxy?.stop();
  for (const server of servers) server.close();
  network.close();
});

test('it takes over what an earlier state of it left: no connection is lost, established or new', async () => {
  const detectLocal = {
    mode: 'ClusterCIDR',
    networks: [net('10.0.0.0/8'), net('fd00:10::/32')],
  } as const;
  await underLoad(ways, async () => {
    proxy = new NodeProxy(namespace, {
      ruleSettings: { masqueradeMark: 0x4000, masqueradeAll: false, detectLocal },
    });
    proxy.report(
      setNode(node({ podCIDRs: [net('10.0.1.0/24'), net('fd00:10:0:1::/64')] })),
      shop.service(),
      ...shop.slices(web),
    );
    await proxy.settled();
  });
  await expectAlive(...streams);
});

test('what it has then is what a fresh start makes', async () => {
  expect(linesOf(older, 'sets').join('\n')).not.toContain('NO-LOCAL');
  await expectGolden(namespace, 'paths');
});
