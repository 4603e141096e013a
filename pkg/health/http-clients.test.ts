import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../ip/address.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { connectionLimits } from './connection-table.ts';
import { HttpServer } from './http.ts';
import { type Reply, textReply } from './reply.ts';

/** A server whose answer to `/slow` the test gives, and to `/large` is larger than what a kernel takes of it. */
async function serve() {
  const clock = manualClock();
  const logged: string[] = [];
  const slow: ((reply: Reply) => void)[] = [];
  const asked = { large: 0 };
  const { promise: port, resolve } = Promise.withResolvers<number>();
  const address = parseAddress('127.0.0.1');
  if (address === undefined) throw new Error('127.0.0.1');
  const server = new HttpServer({
    name: 'test server',
    address,
    port: 0,
    clock,
    routes: new Map<string, () => Reply | Promise<Reply>>([
      ['/', () => textReply(200, 'here')],
      ['/slow', () => new Promise((answer) => slow.push(answer))],
      ['/large', () => textReply(200, 'x'.repeat((asked.large++, 7_000_000)))],
    ]),
    log: { info: () => undefined, error: (message) => void logged.push(message) },
    onListening: resolve,
  });
  const controller = new AbortController();
  const ended = server.run(controller.signal);
  onTestFinished(async () => {
    controller.abort();
    await ended;
    expect(clock.pending()).toBe(0);
  });
  return { port: await port, clock, logged, slow, asked };
}

/** A client that reads and writes bytes. */
async function call(port: number) {
  const socket = connect(port, '127.0.0.1');
  const state = { received: '' };
  const changed: (() => void)[] = [];
  const change = () => {
    for (const resolve of changed.splice(0)) resolve();
  };
  socket.on('data', (chunk) => {
    state.received += chunk.toString('latin1');
    change();
  });
  // A cut connection may be a reset.
  socket.on('error', () => undefined);
  socket.on('close', change);
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  async function until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => changed.push(resolve));
  }
  return {
    socket,
    received: () => state.received,
    answers: (count: number) => until(() => statuses(state.received).length >= count),
    closed: () => until(() => socket.closed),
  };
}

function statuses(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => String(status));
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: node\r\n\r\n`;
}

/** The server has seen everything that was sent to it before. */
async function settled(port: number): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const { socket, answers } = await call(port);
    socket.write(get('/'));
    await answers(1);
    socket.destroy();
  }
}

/** Moves the clock on, as soon as something waits for it. */
async function expire(clock: ManualClock, port: number): Promise<void> {
  await settled(port);
  await clock.advance(10_000);
}

test('pipelined requests are answered one at a time, in order', async () => {
  const { port, slow } = await serve();
  const { socket, received, answers } = await call(port);
  socket.write(get('/slow') + get('/') + get('/slow') + get('/missing'));
  await settled(port);
  expect(slow).toHaveLength(1);
  slow[0]?.(textReply(503, 'no'));
  await answers(2);
  await settled(port);
  expect(slow).toHaveLength(2);
  slow[1]?.(textReply(200, 'yes'));
  await answers(4);
  expect(statuses(received())).toEqual(['503', '200', '200', '404']);
});

test.each([
  ['between the ends of lines', '\r\n\r', '\n'],
  ['within the end of a line', '\r', '\n\r\n'],
])('a header that comes in two pieces, cut %s', async (_, head, tail) => {
  const { port } = await serve();
  const { socket, received, answers } = await call(port);
  socket.setNoDelay(true);
  socket.write(`GET / HTTP/1.1\r\nHost: node${head}`);
  await settled(port);
  socket.write(tail + get('/missing'));
  await answers(2);
  expect(statuses(received())).toEqual(['200', '404']);
});

test('a client that takes no answer is given one', async () => {
  const { port, asked } = await serve();
  const { socket } = await call(port);
  socket.pause();
  socket.write(get('/large').repeat(100));
  await settled(port);
  expect(asked.large).toBe(1);
});

test('answers that nobody takes are given up for the sake of new ones', async () => {
  const { port, logged } = await serve();
  const stuck = await call(port);
  stuck.socket.pause();
  stuck.socket.write(get('/large'));
  await settled(port);
  const { socket, received, closed } = await call(port);
  socket.write(get('/large').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  await closed();
  expect(received().endsWith('x'.repeat(7_000_000))).toBe(true);
  stuck.socket.resume();
  await stuck.closed();
  expect(stuck.received().length).toBeLessThan(7_000_000);
  expect(logged).toEqual(['test server closes connections: too many unsent answers']);
});

test.each([
  ['more than fits into requests', get('/').repeat(2_000), []],
  [
    'a body without an end',
    `POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n${`400\r\n${'x'.repeat(1024)}\r\n`.repeat(12)}`,
    ['200'],
  ],
  ['a header that is too large', `GET / HTTP/1.1\r\nHost: ${'x'.repeat(9_000)}`, ['431']],
  [
    'a body that is too large',
    'POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 4097\r\n\r\n',
    ['413'],
  ],
  ['what is no HTTP', 'hello\r\n\r\n', ['400']],
])('%s ends the connection', async (_, bytes, expected) => {
  const { port } = await serve();
  const { socket, received, closed } = await call(port);
  socket.write(bytes);
  await settled(port);
  // What is sent without an end goes on until it is cut.
  if (expected[0] === '200') socket.write(`400\r\n${'x'.repeat(1024)}\r\n`.repeat(12));
  await closed();
  if (expected.length > 0) expect(statuses(received())).toEqual(expected);
});

test.each<[string, (socket: Socket) => void]>([
  ['says nothing', () => undefined],
  ['sends half a header', (socket) => void socket.write('GET / HTTP/1.1\r\nHost: no')],
  [
    'sends half a body',
    (socket) => void socket.write('PUT / HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\n1'),
  ],
  ['takes no answer', (socket) => void socket.pause().write(get('/large'))],
  ['asks nothing more', (socket) => void socket.write(get('/'))],
])('a client that %s is cut after ten seconds', async (_, behave) => {
  const { port, clock } = await serve();
  const { socket, closed } = await call(port);
  behave(socket);
  await expire(clock, port);
  socket.resume();
  await closed();
});

test('where too many are connected, a new one is answered and the oldest is cut, said once a minute', async () => {
  const { port, clock, logged } = await serve();
  const open: Awaited<ReturnType<typeof call>>[] = [];
  for (let index = 0; index < connectionLimits.own; index++) open.push(await call(port));
  await settled(port);
  await open[0]?.closed();
  await open[1]?.closed();
  const message = 'test server closes connections: too many connections';
  expect(logged).toEqual([message]);
  await clock.advance(60_000);
  for (let index = 0; index <= connectionLimits.own; index++) open.push(await call(port));
  await settled(port);
  expect(logged).toEqual([message, message]);
});
