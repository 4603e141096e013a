import { afterEach, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import type { SetHeader } from '../../ipset/ipset.ts';
import { seconds } from '../../runner/clock.ts';
import { temporarySet } from '../observed/leftover-sets.ts';

// Sets with our names that an older version, or somebody else, made in another way, with rules of ours that refer to them.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

/** A kernel whose rules keep a set from being destroyed. */
function node(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.ipsets.rulesOn = (name) => kernel.firewall.references(name);
  return kernel;
}

/** A proxier on that kernel that has seen a Service of both families with a node port. */
async function started(kernel: FakeKernel, { endpointAddress = '10.0.1.1' } = {}): Promise<Stand> {
  const stand = new Stand({ kernel });
  stands.push(stand);
  stand.report(
    setService(
      service({
        clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')],
        type: 'NodePort',
        ports: [servicePort({ nodePort: 30_080 })],
      }),
    ),
    setSlice(slice([endpoint(endpointAddress, { nodeName: 'here' })])),
    setSlice(slice([endpoint('fd00:10:0:1::1', { nodeName: 'here' })], { name: 'web-6' })),
  );
  await stand.sync();
  await stand.settle(seconds(1));
  return stand;
}

/** What a node looks like that never saw anything else. */
async function expected(): Promise<string> {
  const stand = await started(node());
  return stand.kernel.dump();
}

const sizes = { hashSize: 1024, maxElements: 65_536 } as const;
const narrow = {
  name: 'KUBE-NODE-PORT-TCP',
  type: 'bitmap:port',
  firstPort: 30_000,
  lastPort: 30_010,
} as const;

const leftovers: readonly (readonly [string, SetHeader])[] = [
  ['another family', { name: 'KUBE-6-CLUSTER-IP', type: 'hash:ip,port', family: 'IPv4', ...sizes }],
  ['another type', { name: 'KUBE-LOOP-BACK', type: 'hash:ip,port', family: 'IPv4', ...sizes }],
  [
    'a type of other parts',
    { name: 'KUBE-IPVS-IPS', type: 'bitmap:port', firstPort: 0, lastPort: 9 },
  ],
  ['another range', narrow],
  [
    'another size',
    { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 'IPv4', ...sizes, maxElements: 9 },
  ],
];

test.each(leftovers)('a set of %s is made anew before anything else', async (_, header) => {
  const kernel = node();
  kernel.ipsets.create(header);
  const stand = await started(kernel);
  expect(stand.reports.isFirstSyncDone).toBe(true);
  expect(kernel.dump()).toBe(await expected());
  expect(stand.log.lines().filter((line) => line.startsWith('error'))).toEqual([]);
  expect(stand.log.lines().join('\n')).toMatch(new RegExp(`a set (anew|for one).*${header.name}`));
});

test.each(leftovers)('a set of %s is made anew below our rules', async (_, header) => {
  const before = await started(node());
  const { kernel } = before;
  stands.pop();
  await before.stop();
  kernel.ipsets.rulesOn = () => 0;
  kernel.ipsets.destroy(header.name);
  kernel.ipsets.create(header);
  kernel.ipsets.rulesOn = (name) => kernel.firewall.references(name);
  const stand = await started(kernel);
  expect(stand.reports.isFirstSyncDone).toBe(true);
  expect(kernel.dump()).toBe(await expected());
});

test('a set whose entries end by themselves is swapped for one whose entries stay', async () => {
  const kernel = node();
  const header = {
    name: 'KUBE-CLUSTER-IP',
    type: 'hash:ip,port',
    family: 'IPv4',
    ...sizes,
  } as const;
  kernel.ipsets.createWithExtensions(header);
  await started(kernel);
  const found = (await kernel.ipsets.sets()).find((status) => status.header.name === header.name);
  expect(found).toMatchObject({ hasExtensions: false, entryCount: 1 });
});

test('a swap keeps what the old set held, and is without a moment between', async () => {
  const kernel = node();
  kernel.ipsets.create(narrow);
  kernel.ipsets.write([
    { kind: 'addEntry', set: narrow.name, entry: { type: 'bitmap:port', port: 30_001 } },
  ]);
  const calls: string[] = [];
  kernel.ipsets.failWith = (call) => {
    if (call.call === 'swap')
      calls.push(
        kernel.ipsets
          .dump()
          .split('\n')
          .filter((line) => line.includes(temporarySet))
          .join('; '),
      );
    if (call.call === 'destroy') calls.push(`destroy ${call.name}`);
    return undefined;
  };
  await started(kernel);
  expect(calls).toEqual([
    `create ${temporarySet} bitmap:port range 0-65535; add ${temporarySet} 30001; add ${temporarySet} 30080`,
    `destroy ${temporarySet}`,
  ]);
});

test('each step of a replacement is an operation: in the log, and counted', async () => {
  const kernel = node();
  kernel.ipsets.create(narrow);
  const stand = await started(kernel);
  const applied = stand.log
    .lines()
    .flatMap((line) => /"operation":"([^"]*KUBE-IPVS-TEMPORARY[^"]*)"/.exec(line)?.[1] ?? []);
  expect(applied).toEqual([
    '+set KUBE-IPVS-TEMPORARY bitmap:port',
    '+entry KUBE-IPVS-TEMPORARY 30080',
    '=set KUBE-NODE-PORT-TCP swapped with KUBE-IPVS-TEMPORARY',
    '-set KUBE-IPVS-TEMPORARY',
  ]);
  expect(stand.reports.operationCounts.get('swapSets')).toEqual({ done: 1, failed: 0 });
  expect(stand.reports.operationCounts.get('destroySet')).toEqual({ done: 1, failed: 0 });
});

test('a set that a rule of others holds is named once, and made anew when the rule is gone', async () => {
  const kernel = node();
  const header = {
    name: 'KUBE-6-CLUSTER-IP',
    type: 'hash:ip,port',
    family: 'IPv4',
    ...sizes,
  } as const;
  kernel.ipsets.create(header);
  const release = kernel.ipsets.refer(header.name);
  const stand = await started(kernel);
  const removals = kernel.firewall.calls.remove;
  await stand.settle(seconds(120));
  expect(stand.reports.isFirstSyncDone).toBe(false);
  const errors = stand.log.lines().filter((line) => /^error.*must be made anew/.test(line));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(header.name);
  expect(kernel.firewall.calls.remove).toBe(removals);
  release();
  await stand.settle(seconds(60));
  expect(stand.reports.isFirstSyncDone).toBe(true);
  expect(kernel.dump()).toBe(await expected());
});

test('a set that somebody made in another way meanwhile is found by the audit', async () => {
  const kernel = node();
  const stand = await started(kernel);
  kernel.ipsets.rulesOn = () => 0;
  kernel.ipsets.destroy(narrow.name);
  kernel.ipsets.create(narrow);
  kernel.ipsets.rulesOn = (name) => kernel.firewall.references(name);
  await stand.settle(seconds(60));
  expect(kernel.dump()).toBe(await expected());
});

test('while a lock is held nothing waits for the rules to go out, and the set is made anew later', async () => {
  const before = await started(node());
  const { kernel } = before;
  stands.pop();
  await before.stop();
  kernel.ipsets.rulesOn = () => 0;
  const header = {
    name: 'KUBE-LOOP-BACK',
    type: 'hash:ip,port',
    family: 'IPv4',
    ...sizes,
  } as const;
  kernel.ipsets.destroy(header.name);
  kernel.ipsets.create(header);
  kernel.ipsets.rulesOn = (name) => kernel.firewall.references(name);
  kernel.firewall.isLocked = true;
  const stand = await started(kernel, { endpointAddress: '10.0.1.2' });
  expect(kernel.ipvs.dump()).toContain('10.0.1.2:8080');
  kernel.firewall.isLocked = false;
  await stand.settle(seconds(60));
  expect(kernel.ipsets.dump()).toContain('create KUBE-LOOP-BACK hash:ip,port,ip');
});

test('what a crash left of a swap is swept', async () => {
  const kernel = node();
  kernel.ipsets.create({ ...narrow, name: temporarySet });
  await started(kernel);
  expect(kernel.dump()).toBe(await expected());
});
