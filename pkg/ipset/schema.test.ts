import { describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { capturedMessages, requestDifferences } from '../../test/support/fixture.ts';
import { RecordingConnection } from '../../test/support/recording-connection.ts';
import { KernelError } from '../errno/errno.ts';
import { decode } from '../wire/codec.ts';
import { commands } from './commands.ts';
import { fromEntryData, fromListReply } from './convert.ts';
import { type Entry, type EntryWrite, entryKey, printSetHeader, type SetHeader } from './ipset.ts';
import { NetlinkIpSets } from './netlink.ts';

// Beside what the tool `ipset` sent and was answered, when it did the same: test/fixtures/ipset.sh.

const messages = capturedMessages('ipset');

const sources: SetHeader = {
  name: 'KUBE-SOURCES',
  type: 'hash:ip,port,net',
  family: 'IPv6',
  hashSize: 1024,
  maxElements: 65536,
};
const ports: SetHeader = { name: 'KUBE-PORTS', type: 'bitmap:port', firstPort: 0, lastPort: 65535 };
const tcp: Entry = {
  type: 'hash:ip,port,net',
  ip: ip('fd00:172:30::1'),
  protocol: 'TCP',
  port: 443,
  net: net('2001:db8::/32'),
};
const udp: Entry = { ...tcp, protocol: 'UDP', port: 53, net: net('2001:db8::7/128') };

/** IPSET_CMD_TYPE, as the kernel that was captured answered it. */
const type = { family: 0, body: { revision: 8, oldestRevision: 0 } };

function writes(
  kind: EntryWrite['kind'],
  set: string,
  entries: readonly Entry[],
): readonly EntryWrite[] {
  return entries.map((entry) => ({ kind, set, entry }));
}

function portEntries(...numbers: readonly number[]): readonly Entry[] {
  return numbers.map((port) => ({ type: 'bitmap:port', port }));
}

/** The kernel says that there is one of this name: which one is asked then. */
function createAgain(sets: NetlinkIpSets): void {
  expect(() => sets.create(sources)).toThrow('EEXIST');
}

/** Protocol 6 is older, and understood by every kernel. */
const older = ['ours .protocol 06', 'theirs .protocol 07'];
/** The kernel only gives line numbers back: ours in the host's order, as it writes the line that it stopped at. */
const lines = [
  'ours .line 00000000',
  'ours .list.entries.line 01000000',
  'ours .list.entries.line 02000000',
  ...older.slice(0, 1),
  'theirs .line in network order',
  'theirs .list.entries.line in network order',
  'theirs .list.entries.line in network order',
  ...older.slice(1),
];

type Row = readonly [string, number, (sets: NetlinkIpSets) => unknown, readonly string[]];

const rows: readonly Row[] = [
  ['IPSET_CMD_PROTOCOL', 0, (sets) => expect(() => sets.protocol()).toThrow('said nothing'), older],
  [
    'IPSET_CMD_TYPE',
    0,
    (sets) => sets.create(sources),
    // The kernel does not look at it for types that have both.
    ['ours .family 0a', older[0], 'theirs .family 02', older[1]].map(String),
  ],
  ['IPSET_CMD_CREATE', 0, (sets) => sets.create(sources), older],
  ['IPSET_CMD_CREATE', 2, (sets) => sets.create(ports), older],
  ['IPSET_CMD_ADD', 0, (sets) => sets.write(writes('addEntry', sources.name, [tcp, udp])), lines],
  [
    'IPSET_CMD_ADD',
    1,
    (sets) => sets.write(writes('addEntry', ports.name, portEntries(30080, 30081))),
    lines,
  ],
  [
    'IPSET_CMD_DEL',
    0,
    (sets) => sets.write(writes('deleteEntry', ports.name, portEntries(30081, 30082))),
    lines,
  ],
  ['IPSET_CMD_LIST', 0, (sets) => sets.sets(), older],
  ['IPSET_CMD_LIST', 1, (sets) => sets.entries(sources.name), older],
  ['IPSET_CMD_HEADER', 0, createAgain, older],
  ['IPSET_CMD_SWAP', 0, (sets) => sets.swap('KUBE-PORTS', 'KUBE-OTHER'), older],
  ['IPSET_CMD_DESTROY', 0, (sets) => sets.destroy('KUBE-OTHER'), older],
];

describe('requests are those of the tool but for', () => {
  test.each(rows)('%s, captured for the %ith time', async (name, number, ask, differences) => {
    const connection = new RecordingConnection({
      IPSET_CMD_TYPE: type,
      ...(ask === createAgain && { IPSET_CMD_CREATE: new KernelError('create', 'EEXIST') }),
    });
    await ask(new NetlinkIpSets(connection));
    expect(requestDifferences(connection.requests, { messages, name, number })).toEqual(
      differences,
    );
  });

  test('no command is left out', () => {
    const names = new Set(rows.map(([name]) => name));
    expect(names).toEqual(new Set(Object.values(commands).map(({ name }) => name)));
  });
});

test('what the kernel listed is read as what was created', () => {
  const replies = messages
    .filter(({ type: number, isRequest }) => !isRequest && number === commands.list.type)
    .map(({ payload }) => decode(commands.list.reply, payload).body);
  const sets = replies.map((reply) => {
    const status = fromListReply(reply);
    if (status === undefined) throw new Error('a set of a type that is not known');
    const { header, entryCount, references } = status;
    if (header.type === 'other') throw new Error(`a set of type ${header.typeName}`);
    const entries = (reply.list?.entries ?? []).map((data) => fromEntryData(header.type, data));
    const keys = entries.map((entry) => (entry === undefined ? '?' : entryKey(entry)));
    return {
      set: `${header.name} ${printSetHeader(header)}`,
      entryCount,
      references,
      keys: new Set(keys),
    };
  });
  const listed = [
    {
      set: 'KUBE-SOURCES hash:ip,port,net family inet6 hashsize 1024 maxelem 65536',
      entryCount: 2,
      references: 0,
    },
    { set: 'KUBE-PORTS bitmap:port range 0-65535', entryCount: 1, references: 0 },
  ];
  const keys = [new Set([tcp, udp].map(entryKey)), new Set(['30080'])];
  expect(sets).toEqual([
    // First without entries, then each with its own.
    ...listed.map((set) => ({ ...set, keys: new Set() })),
    ...listed.map((set, index) => ({ ...set, keys: keys[index] })),
  ]);
});
