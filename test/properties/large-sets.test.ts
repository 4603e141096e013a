import { afterEach, expect, test } from 'vitest';
import { type Entry } from '../../pkg/ipset/ipset.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../support/proxier.ts';

// Sets that need more than the 65,536 entries that upstream's have room for. What fills one cheaply is what an earlier program left in
// it: it goes after what is wanted has come.

const name = 'KUBE-LOOP-BACK';
const usual = 65_536;
const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

function start(kernel: FakeKernel): Stand {
  const stand = new Stand({ kernel });
  stands.push(stand);
  const ten = Array.from({ length: 10 }, (_, index) =>
    endpoint(`10.0.0.${index + 1}`, { nodeName: 'here' }),
  );
  stand.report(setService(service()), setSlice(slice(ten)));
  return stand;
}

/** A kernel whose set of hairpins has room for some entries and holds others. */
function kernelWith({ size, entries }: { size: number; entries: number }): FakeKernel {
  const kernel = new FakeKernel();
  const header = { name, type: 'hash:ip,port,ip', family: 'IPv4', hashSize: 1024 } as const;
  kernel.ipsets.create({ ...header, maxElements: size });
  const writes = Array.from({ length: entries }, (_, number) => {
    const address = ip(`10.9.${number >> 8}.${number & 0xff}`);
    const entry: Entry = {
      type: 'hash:ip,port,ip',
      ip: address,
      protocol: 'TCP',
      port: 8080,
      ip2: address,
    };
    return { kind: 'addEntry', set: name, entry } as const;
  });
  kernel.ipsets.write(writes);
  return kernel;
}

async function setOf({ kernel }: Stand): Promise<string> {
  const [found] = (await kernel.ipsets.sets()).filter(({ header }) => header.name === name);
  const { header, entryCount } = found ?? {};
  return `${entryCount} of ${header !== undefined && 'maxElements' in header && header.maxElements}`;
}

function errors({ log }: Stand): readonly string[] {
  return log.lines().filter((line) => line.startsWith('error'));
}

test('a set is swapped for a larger one before anything fails, and goes back when that is no longer needed', async () => {
  const stand = start(kernelWith({ size: usual, entries: usual - 5 }));
  await stand.sync();
  expect(await setOf(stand)).toBe('10 of 131072');
  expect(stand.kernel.ipsets.dump()).not.toContain('TEMPORARY');
  await stand.settle(minutes(1));
  expect(await setOf(stand)).toBe('10 of 65536');
  expect(stand.reports.operationCounts.get('swapSets')).toEqual({ done: 2, failed: 0 });
  expect(stand.reports.operationCounts.get('addEntry')?.failed).toBe(0);
  expect(errors(stand)).toEqual([]);
});

test('a set that had grown stays so at a start as long as it is needed', async () => {
  const kernel = kernelWith({ size: 131_072, entries: 60_000 });
  const stand = start(kernel);
  await stand.sync();
  expect(await setOf(stand)).toBe('10 of 131072');
  expect(stand.reports.operationCounts.get('swapSets')).toBeUndefined();
});

test('while somebody lists a set it stays in use, and is swapped later', async () => {
  const kernel = kernelWith({ size: usual, entries: usual - 5 });
  kernel.ipsets.failWith = ({ call }) => (call === 'swap' ? 'EBUSY' : undefined);
  const stand = start(kernel);
  await stand.sync();
  await stand.settle(seconds(3));
  // Those that went made room.
  expect(await setOf(stand)).toBe('10 of 65536');
  expect(kernel.ipsets.dump()).not.toContain('TEMPORARY');
  expect(errors(stand).filter((line) => line.includes('could not swap a set'))).toHaveLength(1);
  expect(stand.reports.operationCounts.get('withdrawRules')).toBeUndefined();
});

test('a set of a strange size stays in use while it cannot be swapped, and our rules stay', async () => {
  const kernel = kernelWith({ size: 100_000, entries: 5 });
  kernel.ipsets.failWith = ({ call }) => (call === 'swap' ? 'EBUSY' : undefined);
  const stand = start(kernel);
  await stand.sync();
  expect(await setOf(stand)).toBe('10 of 100000');
  expect(stand.reports.operationCounts.get('destroySet')?.failed ?? 0).toBe(0);
  kernel.ipsets.failWith = () => undefined;
  await stand.settle(minutes(1));
  expect(await setOf(stand)).toBe('10 of 65536');
  expect(stand.reports.operationCounts.get('withdrawRules')).toBeUndefined();
});

test('a set that is not full stays as upstream made it', async () => {
  const stand = start(kernelWith({ size: usual, entries: 1_000 }));
  await stand.sync();
  await stand.settle(minutes(1));
  expect(await setOf(stand)).toBe('10 of 65536');
  expect(stand.reports.operationCounts.get('swapSets')).toBeUndefined();
});
