import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { FakeIpSets } from '../ipset/fake.ts';
import type { Entry, SetHeader } from '../ipset/ipset.ts';
import { FakeIpvs } from '../ipvs/fake.ts';
import { FakeLinks } from '../links/fake.ts';
import { type KernelSources, readKernelState } from './read-state.ts';
import { tracedSet } from './state.ts';

const header: SetHeader = {
  name: 'S',
  type: 'hash:ip',
  family: 'IPv4',
  hashSize: 1024,
  maxElements: 65_536,
};
const entry: Entry = { type: 'hash:ip', ip: ip('172.30.0.1') };

function sourcesWith(ipsets: KernelSources['ipsets']): KernelSources {
  return { ipvs: new FakeIpvs(), ipsets, links: new FakeLinks(), rules: { IPv4: [], IPv6: [] } };
}

test('sets of known types are read with their entries', async () => {
  const ipsets = new FakeIpSets();
  ipsets.create(header);
  ipsets.write([{ kind: 'addEntry', set: 'S', entry }]);
  const { sets } = await readKernelState(sourcesWith(ipsets));
  expect(sets).toEqual(new Map([['S', tracedSet('hash:ip', [entry])]]));
});

test('of a set with extensions nothing is said', async () => {
  const ipsets = new FakeIpSets();
  ipsets.createWithExtensions(header);
  const { sets } = await readKernelState(sourcesWith(ipsets));
  expect(sets.get('S')).toBe('unreadable');
});

test('nor of one with more entries than can be expressed, such as exceptions from a network', async () => {
  const status = { header, hasExtensions: false, references: 0, entryCount: 2 };
  const ipsets = { sets: async () => [status], entries: async () => [entry] };
  const { sets } = await readKernelState(sourcesWith(ipsets));
  expect(sets.get('S')).toBe('unreadable');
});

test('a set that is gone when it is read is not there', async () => {
  const status = { header, hasExtensions: false, references: 0, entryCount: 0 };
  const gone = new FakeIpSets();
  let isListed = false;
  const sets = async () => {
    if (isListed) return [];
    isListed = true;
    return [status];
  };
  const state = await readKernelState(sourcesWith({ sets, entries: (name) => gone.entries(name) }));
  expect(state.sets).toEqual(new Map());
});
