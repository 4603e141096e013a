import { afterAll, beforeAll, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { Hammer } from '../support/hammer.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';
import { ShopService, serveAll, table } from '../support/traffic.ts';

// A set grows while packets depend on it: a pod that calls itself through its Service needs its entry in KUBE-LOOP-BACK, and a Service
// with more endpoints on this node than the set has room for comes.

const network = new Network();
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const shop = new ShopService('web', 1);
const [usual, perSlice] = [65_536, 1_000];
let servers: readonly Server[] = [];
let proxy: NodeProxy;

beforeAll(async () => {
  servers = serveAll(web);
  proxy = new NodeProxy(network.node.namespace);
  proxy.tell(shop.service(), ...shop.slices(web));
  await proxy.settled();
});

afterAll(async () => {
  for (const server of servers) server.close();
  await proxy.stop();
  network.close();
});

function loopBack(): string {
  return network.node.namespace.run('ipset', 'list', '-t', 'KUBE-LOOP-BACK');
}

test('a set grows to twice its size under packets, of which none is lost', {
  timeout: 240_000,
}, async () => {
  const hammer = new Hammer(web, shop.vip);
  await hammer.next(1);
  expect(loopBack()).toContain('maxelem 65536');
  proxy.tell(setService(service({ name: 'big', clusterIPs: [ip('172.30.0.2')] })));
  for (let first = 0; first < usual; first += perSlice) {
    const endpoints = Array.from({ length: perSlice }, (_, index) => {
      const number = first + index;
      return endpoint(`10.${64 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`, {
        nodeName: 'here',
      });
    });
    proxy.tell(setSlice(slice(endpoints, { name: `big-${first}`, serviceName: 'big' })));
  }
  await expect.poll(loopBack, { timeout: 200_000, interval: 1_000 }).toContain('maxelem 131072');
  await proxy.settled();
  await hammer.next(1);
  await hammer.stop();
  expect(Number(/Number of entries: (\d+)/.exec(loopBack())?.[1])).toBeGreaterThan(usual);
  expect(hammer.failures()).toEqual(table(() => []));
  const saw = new Set(Object.values(hammer.answers).flat());
  expect(saw).toEqual(new Set(network.node.addresses.map((address) => `web saw ${address}`)));
});
