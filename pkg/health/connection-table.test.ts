import { expect, test } from 'vitest';
import { manualClock } from '../runner/manual-clock.ts';
import { type Client, ConnectionTable, connectionLimits, sourceOf } from './connection-table.ts';

/** A table, and clients whose end is written down by name. */
function started() {
  const clock = manualClock();
  const closed: string[] = [];
  const excesses: string[] = [];
  const table = new ConnectionTable(clock, (excess, { source }) =>
    excesses.push(`${excess} of ${source}`),
  );
  function client(name: string, { source = name, isOwn = false } = {}): Client {
    return { source, isOwn, isLoopback: false, close: () => void closed.push(name) };
  }
  function enter(name: string, options: { source?: string; isOwn?: boolean } = {}): Client {
    const made = client(name, options);
    table.enter(made);
    return made;
  }
  return { clock, table, closed, excesses, enter };
}

test('of one address too many, the connection that did nothing for longest is closed', () => {
  const { table, closed, excesses, enter } = started();
  const [first] = Array.from({ length: connectionLimits.perSource }, (_, index) =>
    enter(`a${index}`, { source: 'a' }),
  );
  if (first !== undefined) table.requested(first);
  expect(closed).toEqual([]);
  enter('one more', { source: 'a' });
  expect(closed).toEqual(['a1']);
  expect(excesses).toEqual(['too many connections of a']);
  expect(table.size).toBe(connectionLimits.perSource);
});

test('of all addresses too many, one of the address with most connections is closed', () => {
  const { table, closed, enter } = started();
  enter('probe');
  for (let index = 0; index < 5; index++) enter(`heavy${index}`, { source: 'heavy' });
  for (let index = table.size; index < connectionLimits.others; index++) enter(`light${index}`);
  expect(closed).toEqual([]);
  enter('one more');
  enter('and more');
  expect(closed).toEqual(['heavy0', 'heavy1']);
  expect(table.size).toBe(connectionLimits.others);
});

test("the node's own connections have room of their own, and are bounded as well", () => {
  const { table, closed, enter } = started();
  for (let index = 0; index < 2 * connectionLimits.others; index++) enter(`pod${index}`);
  closed.length = 0;
  for (let index = 0; index < connectionLimits.own; index++)
    enter(`own${index}`, { source: 'node', isOwn: true });
  expect(closed).toEqual([]);
  enter('one more', { source: 'node', isOwn: true });
  expect(closed).toEqual(['own0']);
  expect(table.size).toBe(connectionLimits.others + connectionLimits.own);
});

test('each step has its deadline, and a connection that is over has none', async () => {
  const { clock, table, closed, enter } = started();
  const busy = enter('busy');
  const over = enter('over');
  enter('silent');
  table.leave(over);
  await clock.advance(9_999);
  table.requested(busy);
  await clock.advance(1);
  expect(closed).toEqual(['silent']);
  await clock.advance(9_998);
  table.sent(busy);
  await clock.advance(9_999);
  expect(closed).toEqual(['silent']);
  await clock.advance(1);
  expect(closed).toEqual(['silent', 'busy']);
  expect([table.size, clock.pending()]).toEqual([0, 0]);
});

test('answers that nobody takes are given up when all of them are too large, the newest never', () => {
  const { table, closed, excesses, enter } = started();
  const slow = enter('slow');
  const slower = enter('slower');
  const third = enter('third');
  const half = connectionLimits.unsent / 2;
  table.sending(slow, half);
  table.sending(slower, half);
  expect(closed).toEqual([]);
  table.sending(third, 1);
  expect(closed).toEqual(['slow']);
  table.sent(slower);
  table.sending(third, 10 * connectionLimits.unsent);
  expect(closed).toEqual(['slow']);
  expect(excesses).toEqual(['too many unsent answers of slow']);
});

test.each([
  ['10.0.1.2', '192.168.0.1', { source: '10.0.1.2', isOwn: false, isLoopback: false }],
  [
    '::ffff:10.0.1.2',
    '::ffff:192.168.0.1',
    { source: '10.0.1.2', isOwn: false, isLoopback: false },
  ],
  [
    '::ffff:192.168.0.1',
    '::ffff:192.168.0.1',
    { source: '192.168.0.1', isOwn: true, isLoopback: false },
  ],
  ['192.168.0.9', '192.168.0.1', { source: '192.168.0.9', isOwn: true, isLoopback: false }],
  ['127.0.0.2', '127.0.0.1', { source: '127.0.0.2', isOwn: true, isLoopback: true }],
  ['fd00:10::1:2:3:4', 'fd00:1::1', { source: 'fd00:10::/64', isOwn: false, isLoopback: false }],
  ['fe80::5%eth0', 'fe80::1%eth0', { source: 'fe80::/64', isOwn: false, isLoopback: false }],
  [undefined, undefined, undefined],
])('a client at %s that called %s', (remoteAddress, localAddress, expected) => {
  const isNodeAddress = (address: string) => {
    if (address === '10.0.1.2') throw new Error('the kernel does not say');
    return address === '192.168.0.9';
  };
  expect(sourceOf({ remoteAddress, localAddress }, isNodeAddress)).toEqual(expected);
});
