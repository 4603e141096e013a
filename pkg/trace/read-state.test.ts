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

/** Sets of which somebody changes the first between the reading of its header and of its entries. */
function changedMeanwhile(change: (ipsets: FakeIpSets) => void): KernelSources['ipsets'] {
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
  const { sets } = await readKernelState(sourcesWith(ipsets));
  expect(sets).toEqual(new Map([['S', tracedSet('hash:ip', [entry])]]));
});

test('a set that goes while it is read is not there', async () => {
  const ipsets = changedMeanwhile((sets) => sets.destroy('S'));
  const { sets } = await readKernelState(sourcesWith(ipsets));
  expect(sets).toEqual(new Map());
});
