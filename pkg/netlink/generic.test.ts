import { expect, test } from 'vitest';
import {
  type Answer,
  done,
  errorAnswer,
  message,
  scriptedSocket,
} from '../../test/support/scripted-socket.ts';
import { isUnsupported } from '../errno/errno.ts';
import { encode, u32 } from '../wire/codec.ts';
import { errnoNumber } from './codes.ts';
import { Connection } from './connection.ts';
import { controlAttributes, GenericFamily, genericCommand } from './generic.ts';

const ENOENT = errnoNumber('ENOENT');
const read = genericCommand({ name: 'READ', command: 5, version: 1, request: u32, reply: u32 });

/** nlctrl says which number the family has. */
function number(familyId: number): readonly Answer[] {
  const payload = Buffer.concat([Buffer.alloc(4), encode(controlAttributes, { familyId })]);
  return [message({ type: 16, payload }), errorAnswer(0)];
}

/** An object of the family. */
function object(value: number): Answer {
  return message({ type: 30, payload: Buffer.concat([Buffer.alloc(4), encode(u32, value)]) });
}

function open(
  requests: readonly (readonly Answer[])[],
  dumps: readonly (readonly Answer[])[] = [],
) {
  const sockets = [
    scriptedSocket([...requests]),
    scriptedSocket([...dumps]),
    scriptedSocket(dumps.slice(1)),
  ];
  const left = [...sockets];
  const connection = new Connection(() => left.shift() ?? scriptedSocket([]), { timeout: 0 });
  return { family: new GenericFamily(connection, 'IPVS'), sockets };
}

function batch(family: GenericFamily, items: readonly number[]): readonly string[] {
  const failures = family.batch(items, {
    put: (item, sink) => sink.put(read, item),
    describe: (item) => `write ${item}`,
  });
  return failures.map(({ index, error }) => `${index}: ${error.message}`);
}

/** The numbers of the family that were sent to. */
function types(sent: readonly Uint8Array[] | undefined): readonly number[] {
  return (sent ?? []).map((bytes) => (bytes[4] ?? 0) + (bytes[5] ?? 0) * 256);
}

test('a family is asked for once, and its number and command are in every message', () => {
  const { family, sockets } = open([
    number(30),
    [object(7), errorAnswer(0)],
    [object(8), errorAnswer(0)],
  ]);
  expect(family.request(read, 1, 'read')).toEqual([7]);
  expect(family.request(read, 2, 'read')).toEqual([8]);
  expect(types(sockets[0]?.sent)).toEqual([16, 30, 30]);
  expect(sockets[0]?.sent[1]?.slice(16)).toEqual(Uint8Array.of(5, 1, 0, 0, 1, 0, 0, 0));
});

test('a request that finds nobody goes to the family under its new number', () => {
  const { family } = open([
    number(30),
    [errorAnswer(ENOENT)],
    number(31),
    [object(7), errorAnswer(0)],
  ]);
  expect(family.request(read, 1, 'read')).toEqual([7]);
});

test('where the number is the same, it was the object that was not found', () => {
  const { family, sockets } = open([number(30), [errorAnswer(ENOENT)], number(30)]);
  expect(() => family.request(read, 1, 'read')).toThrow('read: ENOENT');
  expect(types(sockets[0]?.sent)).toEqual([16, 30, 16]);
});

test('of a batch, what found nobody is sent again, and keeps its index', () => {
  const { family } = open([
    number(30),
    [errorAnswer(ENOENT, 1), errorAnswer(ENOENT, 2), errorAnswer(0, 3)],
    number(31),
    [errorAnswer(errnoNumber('EEXIST'), 1)],
  ]);
  expect(batch(family, [10, 11, 12, 13])).toEqual(['2: write 12: EEXIST']);
});

test('where the family is gone for good, every item says so', () => {
  const { family } = open([[errorAnswer(ENOENT)], [errorAnswer(ENOENT)]]);
  expect(batch(family, [10])).toEqual([
    '0: write 10: EOPNOTSUPP (find generic netlink family IPVS: EOPNOTSUPP (the kernel has none))',
  ]);
  expect(() => family.id()).toThrow(expect.toSatisfy(isUnsupported));
});

test('a dump that finds nobody goes to the family under its new number', async () => {
  const { family } = open([number(30), number(31)], [[errorAnswer(ENOENT)], [object(7), done()]]);
  expect(await family.list(read, 0, 'list')).toEqual([7]);
});
