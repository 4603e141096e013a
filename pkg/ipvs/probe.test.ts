import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import { FakeIpvs } from './fake.ts';
import { probeIpvs, Schedulers } from './probe.ts';

const ipset = () => 7;

function probe(ipvs: FakeIpvs, scheduler = 'rr', ipsetProtocol = ipset): Promise<void> {
  return probeIpvs(ipvs, { scheduler, ipsetProtocol });
}

const other = virtualServerOf(ip('172.30.0.1'), { scheduler: 'lc' });

test('a virtual server with the scheduler is added and taken away again', async () => {
  const ipvs = new FakeIpvs();
  await probe(ipvs);
  expect(ipvs.calls).toMatchObject({ addVirtualServer: 1, deleteVirtualServer: 1 });
  expect(ipvs.dump()).toBe('');
});

test('nothing is written if a virtual server has the scheduler already', async () => {
  const ipvs = new FakeIpvs();
  ipvs.write([{ kind: 'addVirtualServer', virtualServer: other }]);
  await probe(ipvs, 'lc');
  expect(ipvs.calls.addVirtualServer).toBe(1);
});

test('one that an earlier probe left behind is no obstacle', async () => {
  const ipvs = new FakeIpvs();
  const left = { ...other, address: ip('198.51.100.0'), port: 20_000 };
  ipvs.write([{ kind: 'addVirtualServer', virtualServer: left }]);
  await probe(ipvs);
  expect(ipvs.dump()).toBe('');
});

test.each<[string, FakeIpvs, () => number, string]>([
  [
    'an old ipset',
    new FakeIpvs(),
    () => 5,
    'ipset protocol 5 is older than 6, the oldest that will do',
  ],
  [
    'a missing ipset',
    new FakeIpvs(),
    () => {
      throw new Error('no ipset here');
    },
    'no ipset here',
  ],
  [
    'a missing scheduler',
    new FakeIpvs({ schedulers: ['lc'] }),
    ipset,
    'the kernel has no scheduler rr: load the module ip_vs_rr',
  ],
  [
    'a kernel that takes no virtual server',
    new FakeIpvs({ fail: () => 'EPERM' }),
    ipset,
    'add virtual server 198.51.100.0:20000/TCP: EPERM',
  ],
  [
    'a probe that cannot be taken away',
    new FakeIpvs({ fail: ({ kind }) => (kind === 'deleteVirtualServer' ? 'EIO' : undefined) }),
    ipset,
    'delete virtual server 198.51.100.0:20000/TCP: EIO',
  ],
])('%s ends the start', async (_, ipvs, ipsetProtocol, reason) => {
  await expect(probe(ipvs, 'rr', ipsetProtocol)).rejects.toThrow(
    `can't use the IPVS proxier: ${reason}`,
  );
});

test('a kernel that takes a virtual server and does not have it afterwards has no IPVS', async () => {
  const ipvs = new FakeIpvs();
  ipvs.virtualServers = async () => [];
  await expect(probe(ipvs)).rejects.toThrow("can't use the IPVS proxier: ipvs not supported");
});

test('the kernel is asked once for a scheduler that it has, and once a minute for one that it lacks', () => {
  const ipvs = new FakeIpvs({ schedulers: ['lc'] });
  let now = 0;
  const schedulers = new Schedulers(ipvs, () => now);
  const asked = () => ipvs.calls.addVirtualServer;
  expect([schedulers.has('lc'), schedulers.has('lc'), asked()]).toEqual([true, true, 1]);
  expect([schedulers.has('twos'), schedulers.has('twos'), asked()]).toEqual([false, false, 2]);
  now = 60_000;
  expect([schedulers.has('twos'), asked()]).toEqual([false, 3]);
  expect(ipvs.dump()).toBe('');
});

test('a kernel that cannot be asked for a scheduler neither has nor lacks it', () => {
  const ipvs = new FakeIpvs({ fail: () => 'EPERM' });
  const schedulers = new Schedulers(ipvs, () => 0);
  expect(() => schedulers.has('lc')).toThrow('EPERM');
  ipvs.fail = undefined;
  expect(schedulers.has('lc')).toBe(true);
});
