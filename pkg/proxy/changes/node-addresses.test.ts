import { afterEach, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import type { FaultyNode } from '../../../test/support/faults/faulty-node.ts';
import { scriptedNode } from '../../../test/support/faults/scripted-faults.ts';
import {
  endpoint,
  node as nodeObject,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { setNode, setService, setSlice } from '../../../test/support/proxier.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import type { ProxierSettings } from '../options.ts';

// A node gets an address, or loses it: node ports are served there at once, and at a moment when it cannot be read with the next audit.

const nodes: FaultyNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

const other = { link: 'eth0', address: ip('192.168.0.11'), prefixLength: 24 };

async function start(settings: Partial<ProxierSettings> = {}) {
  const { node, faults } = await scriptedNode(settings);
  nodes.push(node);
  node.stand.report(
    setService(service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] })),
    setSlice(slice([endpoint('10.0.0.1')])),
  );
  await node.stand.settle(seconds(1));
  const served = () => node.kernel.ipvs.dump().includes('192.168.0.11:30080');
  return { node, faults, served };
}

test('addresses that cannot be read when they change are served after the next audit', async () => {
  const { node, faults, served } = await start();
  faults.next = ({ name }) =>
    name === 'links.addresses' ? { code: 'EBUSY', isDone: false } : undefined;
  node.kernel.links.addAddress(other);
  await node.stand.settle();
  expect(faults.struck).toBeGreaterThan(0);
  faults.end();
  await node.stand.settle(seconds(2));
  expect(served()).toBe(true);
  faults.next = ({ name }) =>
    name === 'links.hasLink' ? { code: 'EINTR', isDone: false } : undefined;
  node.kernel.links.removeAddress(other);
  await node.stand.settle();
  faults.end();
  // A virtual server on its way out, whose address is gone, does not wait for its clients.
  await node.stand.settle(seconds(10));
  expect(served()).toBe(false);
});

const changes: readonly [string, string][] = [
  ['addresses that come', '192.168.0.11'],
  ['addresses that go', '192.168.0.10'],
];

test.each(changes)('%s count at once, however long a sync period is', async (_, address) => {
  const { node } = await start({ syncPeriod: minutes(60) });
  const { links, ipvs } = node.kernel;
  const served = () => ipvs.dump().includes(`${address}:30080`);
  const before = served();
  if (before) links.removeAddress({ link: 'eth0', address: ip(address) });
  else links.addAddress(other);
  await node.stand.settle(seconds(1));
  expect(served()).toBe(!before);
});

test.each(['links.addresses', 'links.hasLink'] as const)(
  'nothing goes while %s fails, whoever asks',
  async (name) => {
    const { node, faults } = await start();
    const before = node.kernel.dump();
    faults.next = (call) => (call.name === name ? { code: 'ENOBUFS', isDone: false } : undefined);
    node.kernel.links.overflow();
    // Audits come every 30 s.
    await node.stand.settle(seconds(100));
    expect(faults.struck).toBeGreaterThan(2);
    expect(node.kernel.dump()).toBe(before);
    faults.end();
    await node.stand.settle(seconds(60));
    expect(node.kernel.dump()).toBe(before);
  },
);

test('the primary address follows the Node object, and so does health', async () => {
  const { node } = await start({ nodePortNetworks: ['primary'] });
  const { stand, kernel } = node;
  kernel.links.addAddress(other);
  const served = () => [...kernel.ipvs.dump().matchAll(/-A -t (192\S+) /g)].map(([, key]) => key);
  const isAt = async (...addresses: readonly string[]) => {
    stand.report(setNode(nodeObject({ addresses: addresses.map(ip) })));
    await stand.settle(seconds(10));
  };
  await isAt('192.168.0.11', 'fd00:192:168::10');
  expect(served()).toEqual(['192.168.0.11:30080']);
  await isAt('192.168.0.10');
  expect(served()).toEqual(['192.168.0.10:30080']);
  expect(node.reports.listening.slice(-2)).toEqual([
    '192.168.0.11 fd00:192:168::10',
    '192.168.0.10 ::1 fd00:192:168::10',
  ]);
});

test.each(['externalIPs', 'loadBalancerIPs'] as const)(
  'addresses of %s are bound exactly while no other device has them',
  async (field) => {
    const { node } = await start({ syncPeriod: minutes(60) });
    const { stand, kernel } = node;
    const address = ip('203.0.113.80');
    stand.report(setService(service({ type: 'LoadBalancer', [field]: [address] })));
    await stand.settle(seconds(1));
    const isOn = (device: string) =>
      new RegExp(`${device} \\w+(\n {2}.*)*\n {2}${address}/32`).test(kernel.links.dump());
    const state = () => ({
      bound: isOn('kube-ipvs0'),
      denied: kernel.ipsets.dump().includes(`add KUBE-IPVS-IPS ${address}`),
      served: kernel.ipvs.dump().includes(`-A -t ${address}:80`),
    });
    const bound = { bound: true, denied: true, served: true };
    expect(state()).toEqual(bound);
    // As MetalLB, keepalived or the operator does.
    kernel.links.addAddress({ link: 'eth0', address, prefixLength: 32 });
    await stand.settle(seconds(1));
    expect(state()).toEqual({ bound: false, denied: false, served: true });
    expect(isOn('eth0')).toBe(true);
    kernel.links.removeAddress({ link: 'eth0', address });
    await stand.settle(seconds(1));
    expect(state()).toEqual(bound);
  },
);
