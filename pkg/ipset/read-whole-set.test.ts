import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { KernelError } from '../errno/errno.ts';
import { FakeIpSets } from './fake.ts';
import {
  type Entry,
  entriesIfThere,
  type IpSets,
  readWholeSet,
  type SetHeader,
  type SetStatus,
} from './ipset.ts';

const header: SetHeader = {
  name: 'S',
  type: 'hash:ip',
  family: 'IPv4',
  hashSize: 1024,
  maxElements: 65_536,
};
const entry: Entry = { type: 'hash:ip', ip: ip('172.30.0.1') };
const listed: SetStatus = { header, hasExtensions: false, references: 0, entryCount: 0 };

/** A set that somebody changes right before its entries are read for the first time. */
function changedMeanwhile(change: (ipsets: FakeIpSets) => void): Pick<IpSets, 'sets' | 'entries'> {
  const ipsets = new FakeIpSets();
  ipsets.create(header);
  let isChanged = false;
  return {
    sets: () => ipsets.sets(),
    entries: (name) => {
      if (!isChanged) change(ipsets);
      isChanged = true;
      return ipsets.entries(name);
    },
  };
}

test('a set that changes while it is read is read again', async () => {
  const ipsets = changedMeanwhile((sets) => sets.write([{ kind: 'addEntry', set: 'S', entry }]));
  expect(await readWholeSet(ipsets, listed)).toEqual({
    status: { ...listed, entryCount: 1 },
    entries: [entry],
  });
});

test('one that goes while it is read is not there', async () => {
  const ipsets = changedMeanwhile((sets) => sets.destroy('S'));
  expect(await readWholeSet(ipsets, listed)).toBe(undefined);
});

test('one that comes again at once is read', async () => {
  let reads = 0;
  const ipsets = {
    sets: async () => [{ ...listed, entryCount: 1 }],
    entries: async () => {
      reads++;
      if (reads === 1) throw new KernelError('list set S', 'ENOENT');
      return [entry];
    },
  };
  expect((await readWholeSet(ipsets, listed))?.entries).toEqual([entry]);
});

test('one with entries that cannot be represented has the others, after some attempts', async () => {
  let reads = 0;
  const status = { ...listed, entryCount: 2 };
  const ipsets = {
    sets: async () => [status],
    entries: async () => {
      reads++;
      return [entry];
    },
  };
  expect(await readWholeSet(ipsets, status)).toEqual({ status, entries: [entry] });
  expect(reads).toBe(4);
});

test('any other failure is one', async () => {
  const ipsets = { entries: () => Promise.reject(new KernelError('list set S', 'EPERM')) };
  await expect(entriesIfThere(ipsets, 'S')).rejects.toThrow('EPERM');
});
