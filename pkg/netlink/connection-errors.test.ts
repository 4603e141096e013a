import { expect, test } from 'vitest';
import {
  type Answer,
  done,
  errorAnswer,
  message,
  scriptedSocket,
} from '../../test/support/scripted-socket.ts';
import { u16 } from '../wire/codec.ts';
import { errnoNumber } from './codes.ts';
import { Connection } from './connection.ts';
import { type Command, NLM_F_DUMP_INTR, NLM_F_MULTI } from './message.ts';
import { netfilterSubsystem } from './netfilter.ts';

// Whoever counts errors hears each of them once, whichever way it came.

const read: Command<number, number> = {
  name: 'READ',
  type: 0x602,
  flags: 0,
  request: u16,
  reply: u16,
};
const ENOENT = errnoNumber('ENOENT');
const ENOBUFS = errnoNumber('ENOBUFS');
const part = (flags = 0) =>
  message({ type: 0x602, payload: Uint8Array.of(1, 0), flags: NLM_F_MULTI | flags });

/** What is heard of errors while a connection does something whose sends are answered so. */
async function heard(
  script: (readonly (Answer | number)[])[],
  act: (connection: Connection) => unknown,
): Promise<readonly string[]> {
  const errors: string[] = [];
  const connection = new Connection(() => scriptedSocket(script), {
    timeout: 0,
    onError: (code, type) => errors.push(`${netfilterSubsystem(type)} ${code}`),
  });
  await Promise.resolve()
    .then(() => act(connection))
    .catch(() => undefined);
  return errors;
}

const request = (connection: Connection) => connection.request(read, 1, 'read it');
const batch = (connection: Connection) =>
  connection.batch([1, 2, 3], { put: (item, sink) => sink.put(read, item), describe: String });
const list = (connection: Connection) => connection.list(read, 0, 'list');

test.each([
  ['a request that succeeds', request, [[errorAnswer(0)]], []],
  ['a request that is refused', request, [[errorAnswer(ENOENT)]], ['ENOENT']],
  ['a request without an answer', request, [[]], ['ETIMEDOUT']],
  ['an answer that makes no sense', request, [[message({ type: 0x602 })]], ['EBADMSG']],
  ['a datagram that is no message', request, [[() => new Uint8Array(16)]], ['EBADMSG']],
  ['two refusals of a batch', batch, [[errorAnswer(ENOENT, 0), errorAnswer(ENOENT, 2)]], twice()],
  ['answers of a batch that are lost', batch, [[ENOBUFS, errorAnswer(0, 2)]], ['ENOBUFS']],
  ['a dump that succeeds', list, [[part(), done()]], []],
  ['a dump that is refused', list, [[errorAnswer(ENOENT)]], ['ENOENT']],
  ['a dump that breaks off', list, [[part(), done(ENOENT)]], ['ENOENT']],
  ['a dump that falls silent', list, [[part()]], ['ETIMEDOUT']],
  ['a dump of what is no message', list, [[() => new Uint8Array(16)]], ['EBADMSG']],
  ['a dump that is interrupted once', list, interrupted(), ['EINTR']],
])('%s', async (_name, act, script, codes) => {
  expect(await heard(script, act)).toEqual(codes.map((code) => `ipset ${code}`));
});

function twice(): readonly string[] {
  return ['ENOENT', 'ENOENT'];
}

function interrupted(): Answer[][] {
  return [
    [part(NLM_F_DUMP_INTR), done()],
    [part(), done()],
  ];
}

test.each([
  [0x101, 'conntrack'],
  [0x602, 'ipset'],
  [0xa10, 'nftables'],
  [0x10, 'netfilter'],
])('nlmsg_type %s belongs to %s', (type, name) => {
  expect(netfilterSubsystem(type)).toBe(name);
});
