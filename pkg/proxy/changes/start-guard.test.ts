import { afterEach, describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { FakeKernel, remove, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { stretches } from '../../../test/support/stretches.ts';
import { virtualServerOf } from '../../../test/support/virtual-server.ts';
import { families } from '../../ip/address.ts';
import { keyedVirtualServer } from '../../ipvs/ipvs.ts';
import type { Change, Kind } from '../../kube/types.ts';
import { silentLogger } from '../../log/memory.ts';
import { Ledger } from '../desired/ledger.ts';
import { Mirror } from '../observed/mirror.ts';
import { StartGuard } from './start-guard.ts';

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

/** A Service of every sort, so that all sets and rules are used. */
function objects(index: number): readonly [Change, Change] {
  const name = `s${index}`;
  const sorts = [
    {},
    { type: 'NodePort', ports: [servicePort({ nodePort: 30_000 + index })] },
    {
      type: 'LoadBalancer',
      loadBalancerIPs: [ip(`198.51.100.${index}`)],
      sourceRanges: [net('203.0.113.0/24')],
    },
  ] as const;
  const clusterIPs = [ip(`172.30.0.${10 + index}`)];
  const own = endpoint(`10.0.0.${index + 1}`, { nodeName: 'here' });
  return [
    setService(service({ name, clusterIPs, ...sorts[index % 3] })),
    setSlice(slice([own], { name: `${name}-1`, serviceName: name })),
  ];
}

const kubernetes: readonly [Change, Change] = [
  setService(
    service({
      namespace: 'default',
      name: 'kubernetes',
      clusterIPs: [ip('172.30.0.1')],
      ports: [servicePort({ port: 443 })],
    }),
  ),
  setSlice(
    slice([endpoint('192.168.0.1')], {
      namespace: 'default',
      name: 'kubernetes',
      serviceName: 'kubernetes',
    }),
  ),
];

const all = (count: number) => Array.from({ length: count }, (_, index) => objects(index)).flat();

/** A kernel as an earlier run left it. */
async function leftBehind(...changes: readonly Change[]): Promise<FakeKernel> {
  const kernel = new FakeKernel();
  const stand = new Stand({ kernel });
  stand.report(...changes);
  await stand.sync();
  await stand.stop();
  return kernel;
}

/** A start on such a kernel, told some objects; which kinds it wants to be read again. */
async function restarted(
  kernel: FakeKernel,
  ...changes: readonly Change[]
): Promise<{ stand: Stand; asked: Kind[] }> {
  const asked: Kind[] = [];
  const stand = new Stand({ kernel, confirm: (kind) => asked.push(kind) });
  stands.push(stand);
  stand.report(...changes);
  await stand.sync();
  return { stand, asked };
}

/** The second read ends, and everything that follows from it. */
async function confirmed(stand: Stand): Promise<void> {
  stand.report({ type: 'confirmed', kind: 'Service' });
  await stand.settle();
  stand.report({ type: 'confirmed', kind: 'EndpointSlice' });
  await stand.settle(60_000);
}

const count = (kernel: FakeKernel, what: RegExp) => (kernel.ipvs.dump().match(what) ?? []).length;
const virtualServers = (kernel: FakeKernel) => count(kernel, /^-A /gm);
const served = (kernel: FakeKernel) => count(kernel, /^-a .*-w 1/gm);
const disbelief = ({ log }: Stand) =>
  log.lines().filter((line) => line.includes('not believing')).length;

describe('a start whose first read explains too little of what the kernel holds', () => {
  test('changes nothing, ends its first sync and says so once, until a second read', async () => {
    const kernel = await leftBehind(...all(24));
    const before = kernel.dump();
    const held = virtualServers(kernel);
    const { stand, asked } = await restarted(kernel);
    await stand.settle(300_000);
    expect(kernel.dump()).toBe(before);
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(asked).toEqual(['Service', 'EndpointSlice']);
    expect(disbelief(stand)).toBe(1);
    expect(stand.reports.undecided).toEqual({ virtualServers: held, realServers: held });
    await confirmed(stand);
    expect([virtualServers(kernel), served(kernel)]).toEqual([0, 0]);
    expect(kernel.dump()).toBe((await leftBehind()).dump());
    expect(stand.reports.undecided).toEqual({ virtualServers: 0, realServers: 0 });
  });

  test('keeps what the second read explains, and only that', async () => {
    const kernel = await leftBehind(...all(24));
    const { stand } = await restarted(kernel);
    stand.report(...all(23));
    await confirmed(stand);
    expect(kernel.dump()).toBe((await leftBehind(...all(23))).dump());
    expect(stand.reports.conflicts).toEqual([]);
  });

  test('carries out at once what is new and what changes', async () => {
    const kernel = await leftBehind(...all(24));
    const held = virtualServers(kernel);
    const { stand } = await restarted(kernel);
    const [added, addedSlice] = objects(24);
    stand.report(added, addedSlice, ...objects(0));
    await stand.settle();
    expect(kernel.ipvs.dump()).toContain('-a -t 172.30.0.34:80 -r 10.0.0.25:8080 -m -w 1');
    const two = [endpoint('10.0.0.1'), endpoint('10.0.9.9')];
    stand.report(setSlice(slice(two, { name: 's0-1', serviceName: 's0' })));
    await stand.settle();
    stand.report(setSlice(slice(two.slice(1), { name: 's0-1', serviceName: 's0' })));
    await stand.settle(10_000);
    expect(kernel.ipvs.dump()).toContain('-a -t 172.30.0.10:80 -r 10.0.9.9:8080 -m -w 1');
    expect(kernel.ipvs.dump()).not.toContain('-a -t 172.30.0.10:80 -r 10.0.0.1:8080');
    stand.report(remove('Service', 's24'));
    await stand.settle(60_000);
    expect(kernel.ipvs.dump()).not.toContain('172.30.0.34:80');
    expect(virtualServers(kernel)).toBe(held);
  });

  test('keeps real servers where only the slices are missing', async () => {
    const kernel = await leftBehind(...all(24));
    const before = kernel.dump();
    const held = virtualServers(kernel);
    const services = all(24).filter((_, index) => index % 2 === 0);
    const { stand } = await restarted(kernel, ...services);
    await stand.settle(300_000);
    expect(kernel.dump()).toBe(before);
    expect(stand.reports.undecided).toEqual({ virtualServers: 0, realServers: held });
    await confirmed(stand);
    expect([virtualServers(kernel), served(kernel)]).toEqual([held, 0]);
  });

  test.each<[string, readonly Change[], number]>([
    ['default/kubernetes', [], 1],
    ['the slice of default/kubernetes', [kubernetes[0]], 1],
  ])('however little it is, where %s is missing', async (_name, reported, kept) => {
    const kernel = await leftBehind(...kubernetes, ...objects(0));
    const before = kernel.dump();
    const { stand, asked } = await restarted(kernel, ...reported, ...objects(0));
    await stand.settle(300_000);
    expect(kernel.dump()).toBe(before);
    expect(asked).toHaveLength(2);
    expect(served(kernel)).toBe(1 + kept);
    await confirmed(stand);
    expect(served(kernel)).toBe(1);
  });

  test('an audit meanwhile takes nothing away either, and repairs what others do', async () => {
    const kernel = await leftBehind(...all(24));
    const before = kernel.dump();
    await restarted(kernel).then(({ stand }) => stand.settle());
    kernel.links.removeAddress({
      link: 'kube-ipvs0',
      address: ip('172.30.0.10'),
    });
    await stands[0]?.settle(60_000);
    expect(kernel.dump()).toBe(before);
  });
});

describe('a start is believed at once', () => {
  test.each<[string, readonly Change[], readonly Change[]]>([
    ['where no more than 20 are missing', all(12), []],
    ['where no more than half are missing', all(60), all(30)],
    ['where there never was a default/kubernetes', objects(0), []],
  ])('%s', async (_name, left, reported) => {
    const kernel = await leftBehind(...left);
    const { stand, asked } = await restarted(kernel, ...reported);
    await stand.settle(60_000);
    expect(asked).toEqual([]);
    expect(kernel.dump()).toBe((await leftBehind(...reported)).dump());
  });

  test('where the source has no second word', async () => {
    const kernel = await leftBehind(...all(24));
    const stand = new Stand({ kernel });
    stands.push(stand);
    await stand.sync();
    await stand.settle(60_000);
    expect(virtualServers(kernel)).toBe(0);
  });
});

test('however much the kernel holds, the event loop turns while that is compared', async () => {
  const mirror = new Mirror();
  for (let index = 0; index < 2_000; index++) {
    const address = ip(`172.30.${index >> 8}.${index & 0xff}`);
    const virtualServer = keyedVirtualServer(virtualServerOf(address, {}));
    mirror.recordWrite({ kind: 'addVirtualServer', virtualServer });
  }
  let time = 0;
  const asked: Kind[] = [];
  const guard = new StartGuard({
    ledger: new Ledger(),
    mirror,
    store: { objects: () => undefined },
    intake: { isConfirmed: () => false },
    families,
    log: silentLogger,
    // A hundred virtual servers take a millisecond.
    now: () => (time += 0.01),
    confirm: (kind) => void asked.push(kind),
  });
  const { turns } = await stretches(
    () => time,
    () => guard.inspect(),
  );
  expect(asked).toEqual(['Service', 'EndpointSlice']);
  expect(turns).toBeGreaterThanOrEqual(2);
});
