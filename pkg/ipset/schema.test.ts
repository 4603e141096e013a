import { describe, expect, test } from 'vitest';
import { capturedMessages } from '../../test/support/fixture.ts';
import { decode, encode } from '../wire/codec.ts';
import { entryKey, printSetHeader } from './ipset.ts';
import { commands } from './schema.ts';
import { fromEntryData, fromListReply } from './values.ts';

const messages = capturedMessages('ipset');

describe.each(Object.entries(commands))('%s', (_, command) => {
  const requests = messages.filter(({ type, isRequest }) => isRequest && type === command.type);

  test('is among the captured messages', () => {
    expect(requests.length).toBeGreaterThan(0);
  });

  test('is encoded to the bytes that the kernel took', () => {
    for (const { payload } of requests) {
      // The commands of the table differ in their types, which only this test mixes.
      const codec = command.request as Parameters<typeof encode>[0];
      expect(encode(codec, decode(codec, payload))).toEqual(payload);
    }
  });
});

test('what the kernel listed is read as what was created', () => {
  const replies = messages
    .filter(({ type, isRequest }) => !isRequest && type === commands.list.type)
    .map(({ payload }) => decode(commands.list.reply, payload).body);
  const sets = replies.map((reply) => {
    const status = fromListReply(reply);
    if (status === undefined) throw new Error('a set of a type that is not known');
    const { header, entryCount, references } = status;
    if (header.type === 'other') throw new Error(`a set of type ${header.typeName}`);
    const entries = (reply.list?.entries ?? []).map((data) => fromEntryData(header.type, data));
    const keys = entries.map((entry) => (entry === undefined ? '?' : entryKey(entry)));
    return [header.name, printSetHeader(header), entryCount, references, ...keys];
  });
  const sources = [
    'KUBE-SOURCES',
    'hash:ip,port,net family inet6 hashsize 1024 maxelem 65536',
    1,
    0,
  ];
  const ports = ['KUBE-PORTS', 'bitmap:port range 0-65535', 1, 0];
  expect(sets).toEqual([
    sources,
    ports,
    [...sources, 'fd00:172:30::1,tcp:443,2001:db8::/32'],
    [...ports, '30080'],
  ]);
});
