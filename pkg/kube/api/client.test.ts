import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { seconds } from '../../runner/clock.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { noMetrics } from '../metrics.ts';
import { HttpClient } from './client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let sockets: Set<Socket>;
let handler: Handler;
let clock: ManualClock;
let client: HttpClient;
let codes: string[];
let token: string;

beforeEach(async () => {
  sockets = new Set();
  server = createServer((request, response) => handler(request, response));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  clock = manualClock();
  codes = [];
  token = 'old';
  client = connect(address());
});

afterEach(async () => {
  client.close();
  for (const socket of sockets)
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  server.close();
  expect(clock.pending()).toBe(0);
});

/** The URL of the server. */
function address(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`;
}

function connect(url: string): HttpClient {
  const connection = {
    server: new URL(url),
    async credentials({ fresh }: { fresh: boolean }) {
      if (fresh) token = 'new';
      return { headers: { authorization: `Bearer ${token}` }, tls: {}, agent: undefined };
    },
  };
  const metrics = {
    ...noMetrics,
    requested: ({ method, code }: { method: string; code: string }) =>
      codes.push(`${method} ${code}`),
  };
  return new HttpClient({ connection, clock, metrics, userAgent: 'kube-proxy/test' });
}

function json(
  response: ServerResponse,
  { status = 200, body, headers = {} }: { status?: number; body: unknown; headers?: object },
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  let result = '';
  for await (const chunk of request) result += String(chunk);
  return result;
}

/** After how many seconds TCP probes the other end of the connection from a local port; 0 for never. */
function keepAliveTimer(port: number): number {
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, '0');
  const timer = new RegExp(`: \\w+:${hexadecimal} \\w+:\\w+ 01 \\S+ 02:(\\w+)`);
  const ticks = timer.exec(readFileSync('/proc/net/tcp', 'utf8'))?.[1] ?? '0';
  return Number.parseInt(ticks, 16) / 100;
}

describe('an ordinary request', () => {
  test("asks for JSON under the server's path, with credentials", async () => {
    handler = ({ url, headers }, response) => json(response, { body: { url, headers } });
    const answer = await client.get('/api/v1/nodes', { query: { labelSelector: '!a,!b' } });
    expect(answer).toMatchObject({
      url: '/prefix/api/v1/nodes?labelSelector=%21a%2C%21b',
      headers: {
        accept: 'application/json',
        'user-agent': 'kube-proxy/test',
        authorization: 'Bearer old',
      },
    });
    expect(codes).toEqual(['GET 200']);
  });

  test('sends what is posted as JSON and what is patched as a merge patch', async () => {
    handler = async (request, response) =>
      json(response, {
        body: [request.method, request.headers['content-type'], JSON.parse(await text(request))],
      });
    expect(await client.post('/x', { a: 'é' })).toEqual(['POST', 'application/json', { a: 'é' }]);
    expect(await client.patch('/x', { b: 1 })).toEqual([
      'PATCH',
      'application/merge-patch+json',
      { b: 1 },
    ]);
  });

  test('keeps its connection for the next', async () => {
    handler = ({ socket }, response) => json(response, { body: socket.remotePort });
    expect(await client.get('/a')).toBe(await client.get('/b'));
  });

  test('goes to the server whatever proxy the environment names', async () => {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'])
      vi.stubEnv(name, 'http://127.0.0.1:1');
    onTestFinished(() => void vi.unstubAllEnvs());
    handler = ({ url }, response) => json(response, { body: url });
    client.close();
    client = connect(address());
    expect(await client.get('/x')).toBe('/prefix/x');
  });

  test('that is not allowed says why, in the words of the API', async () => {
    const details = { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 3 };
    handler = (_request, response) =>
      json(response, {
        status: 504,
        body: { kind: 'Status', code: 504, reason: 'Timeout', message: 'too big', details },
      });
    await expect(client.get('/x')).rejects.toMatchObject({
      message: expect.stringMatching(/^GET http:\S+\/x: 504 Timeout: too big$/) as unknown,
      status: 504,
      reason: 'Timeout',
      retryAfter: 3000,
      causes: ['ResourceVersionTooLarge'],
    });
    expect(codes).toEqual(['GET 504']);
  });

  test.each([
    ['a header', { 'retry-after': '7' }, '', 7000],
    ['nothing', {}, '<html>busy</html>', undefined],
    ['a header that is no number', { 'retry-after': 'soon' }, '{}', undefined],
  ])('answered with 429 and %s', async (_name, headers, body, retryAfter) => {
    handler = (_request, response) => response.writeHead(429, headers).end(body);
    await expect(client.get('/x')).rejects.toMatchObject({ status: 429, retryAfter });
  });

  test('whose token is refused is sent once more with fresh credentials', async () => {
    handler = ({ headers }, response) =>
      json(
        response,
        headers.authorization === 'Bearer new' ? { body: 'in' } : { status: 401, body: {} },
      );
    expect(await client.get('/x')).toBe('in');
    expect(codes).toEqual(['GET 401', 'GET 200']);
    handler = (_request, response) =>
      json(response, { status: 401, body: { reason: 'Unauthorized' } });
    await expect(client.get('/x')).rejects.toMatchObject({ status: 401 });
    expect(codes).toHaveLength(4);
  });

  test('whose credentials the server echoes does not pass them on', async () => {
    token = 'abcdefghijklmnopqrstuvwxyz';
    const echo = `denied: Bearer ${token}`;
    const bodies = [
      { status: 403, body: { kind: 'Status', message: echo } },
      { status: 500, body: echo },
    ];
    for (const answer of bodies) {
      handler = (_request, response) => json(response, answer);
      await expect(client.get('/x')).rejects.toThrow('denied: Bearer (hidden)');
    }
    handler = (_request, response) => response.end(`{"type":"ERROR"}\n`);
    const onEvents = () => {
      throw new Error(echo); // The parser of an event may put its text into an error.
    };
    await expect(client.watch('/x', { onEvents })).rejects.toThrow('denied: Bearer (hidden)');
  });

  test.each([
    ['no JSON', (response: ServerResponse) => response.end('<html>')],
    [
      'half an answer',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-length': 100 }).write('{"a"', () => response.destroy()),
    ],
    ['no answer', (response: ServerResponse) => response.destroy()],
  ])('that gets %s is a lost connection', async (_name, answer) => {
    handler = (_request, response) => void answer(response);
    await expect(client.get('/x')).rejects.toMatchObject({
      name: 'ConnectionError',
      message: expect.stringMatching(/^GET http\S+\/x: /) as unknown,
    });
  });

  test('to nobody is a lost connection', async () => {
    const nobody = connect('http://127.0.0.1:9');
    await expect(nobody.get('/x')).rejects.toThrow('ECONNREFUSED');
    expect(codes).toEqual(['GET <error>']);
  });

  test('that is not answered is given up', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    handler = () => resolve();
    const answer = client.get('/x').catch((error: Error) => error.message);
    await promise;
    await clock.advance(seconds(59));
    expect(sockets.size).toBe(1);
    await clock.advance(seconds(1));
    expect(await answer).toContain('not a byte for 60 s');
  });

  test.each([
    ['an Event that was written', () => client.post('/x', {}), 1024 * 1024],
    ['an object', () => client.get('/x'), 13 * 1024 * 1024],
  ])('does not read an answer without end: %s', async (_name, request, length) => {
    handler = (_request, response) => void response.write(`{"a":"${'a'.repeat(length)}`);
    await expect(request()).rejects.toThrow(/: an answer of more than \d+ bytes$/);
  });

  test('reads only the beginning of an error', async () => {
    handler = (_request, response) => {
      response.writeHead(500);
      response.write('<html>'.repeat(100_000));
    };
    await expect(client.get('/x')).rejects.toThrow(/^GET \S+: 500: (<html>)+$/);
  });

  test('waits where many were sent: 10 at once, then 10 a second', async () => {
    let count = 0;
    handler = (_request, response) => {
      count++;
      json(response, { body: {} });
    };
    const all = Promise.all(Array.from({ length: 25 }, () => client.get('/x')));
    while (count < 10) await new Promise((resolve) => setImmediate(resolve));
    expect(clock.pending()).toBeGreaterThanOrEqual(15);
    await clock.advance(seconds(1.5));
    await all;
    expect(count).toBe(25);
  });

  test('ends when its signal aborts', async () => {
    const stop = new AbortController();
    handler = () => stop.abort(new Error('enough'));
    await expect(client.get('/x', { signal: stop.signal })).rejects.toThrow('enough');
  });
});

describe('a list', () => {
  test('gives its items as they arrive and in the end the rest', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    handler = (_request, response) => {
      response.write('{"metadata":{"resourceVersion":"7"},"items":[{"a":1},{"b');
      void promise.then(() => response.end('":2}]}'));
    };
    const items: unknown[] = [];
    const list = client.list('/x', {
      onItems: (some) => {
        items.push(...some);
        resolve();
      },
    });
    await promise;
    expect(items).toEqual([{ a: 1 }]);
    expect(await list).toEqual({ metadata: { resourceVersion: '7' }, items: [] });
    expect(items).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test('gives what stands before its items first, and none if that is refused', async () => {
    handler = (_request, response) =>
      void response.write('{"kind":"PodList","metadata":{},"items":[{"a":1},');
    const items: unknown[] = [];
    const onHead = (head: unknown) => {
      expect(head).toEqual({ kind: 'PodList', metadata: {}, items: [] });
      throw new Error('no Services');
    };
    const onItems = (some: readonly unknown[]) => items.push(...some);
    await expect(client.list('/x', { onHead, onItems })).rejects.toThrow('no Services');
    expect(items).toEqual([]);
  });

  test('comes over a connection of its own where that is asked for', async () => {
    const ports: unknown[] = [];
    handler = ({ socket }, response) => {
      ports.push(socket.remotePort);
      json(response, { body: { items: [] } });
    };
    const onItems = () => {};
    await client.list('/x', { onItems });
    await client.list('/x', { onItems });
    await client.list('/x', { onItems, ownConnection: true });
    await client.list('/x', { onItems });
    expect(ports).toEqual([ports[0], ports[0], expect.anything(), ports[0]]);
    expect(ports[2]).not.toBe(ports[0]);
  });

  test('that goes on and on is given up', async () => {
    let response: ServerResponse | undefined;
    handler = (_request, answer) => void (response = answer).write('{"items":[{},');
    let received = Promise.withResolvers<void>();
    const list = client.list('/x', { onItems: () => received.resolve() });
    const ended = list.catch((error: Error) => error.message);
    for (let minute = 0; minute < 10; minute++) {
      await received.promise;
      await clock.advance(seconds(59));
      received = Promise.withResolvers();
      response?.write('{},');
    }
    await received.promise;
    await clock.advance(seconds(10));
    expect(await ended).toContain('not complete after 600 s');
  });

  test('is freed as it is read: what V8 has not collected yet is no memory', async () => {
    const item = `{"a":"${'a'.repeat(60_000)}"},`;
    const count = 400;
    handler = (_request, response) => {
      response.write('{"items":[');
      let sent = 0;
      const send = () => {
        while (sent++ < count) if (!response.write(item)) return void response.once('drain', send);
        response.end('{}]}');
      };
      send();
    };
    const used = () => process.memoryUsage().arrayBuffers;
    const before = used();
    let items = 0;
    let most = 0;
    const onItems = (some: readonly unknown[]) => {
      items += some.length;
      most = Math.max(most, used() - before);
    };
    await client.list('/x', { onItems });
    expect(items).toBe(count + 1);
    expect(most).toBeLessThan(1_500_000);
  });

  test('that is malformed is a lost connection, and the connection is closed', async () => {
    handler = (_request, response) => void response.write('{"items":[{}{}]}');
    await expect(client.list('/x', { onItems: () => {} })).rejects.toMatchObject({
      name: 'ConnectionError',
    });
  });
});

describe('a watch', () => {
  test('gives its events as they arrive, on a connection of its own, until it ends', async () => {
    const ports: unknown[] = [];
    handler = ({ socket }, response) => {
      ports.push(socket.remotePort);
      response.end('{"type":"A"}\n{"type":"B"}\n');
    };
    const events: unknown[] = [];
    for (let count = 0; count < 2; count++)
      await client.watch('/x', { onEvents: (some) => events.push(...some) });
    await client.get('/y').catch(() => {});
    expect(events).toEqual([{ type: 'A' }, { type: 'B' }, { type: 'A' }, { type: 'B' }]);
    expect(new Set(ports).size).toBe(3);
  });

  test('is said to be open before its first event', async () => {
    handler = (_request, response) => response.flushHeaders();
    const stop = new AbortController();
    const onOpen = () => stop.abort(new Error('open'));
    const watch = client.watch('/x', { signal: stop.signal, onOpen, onEvents: () => {} });
    await expect(watch).rejects.toThrow('open');
  });

  test('that is cut in mid-event gives those before and fails', async () => {
    handler = (_request, response) =>
      void response.write('{"type":"A"}\n{"type"', () => response.destroy());
    const events: unknown[] = [];
    await expect(client.watch('/x', { onEvents: (some) => events.push(...some) })).rejects.toThrow(
      'cut',
    );
    expect(events).toEqual([{ type: 'A' }]);
  });

  test('has a connection whose other end TCP asks for after ten seconds of silence', async () => {
    const stop = new AbortController();
    handler = (_request, response) => void response.write('{}\n');
    const received = Promise.withResolvers<void>();
    const watch = client.watch('/x', { signal: stop.signal, onEvents: () => received.resolve() });
    await received.promise;
    const port = [...sockets][0]?.remotePort ?? 0;
    expect(keepAliveTimer(port)).toBeGreaterThan(0);
    expect(keepAliveTimer(port)).toBeLessThanOrEqual(10);
    stop.abort(new Error('enough'));
    await expect(watch).rejects.toThrow('enough');
  });

  test('that ends in mid-event fails', async () => {
    handler = (_request, response) => void response.end('{"type":"A"}\n{"type"');
    await expect(client.watch('/x', { onEvents: () => {} })).rejects.toThrow('breaks off');
  });

  test('that comes byte by byte is a lost connection', async () => {
    handler = (request, response) => {
      response.on('error', () => {});
      request.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      request.socket.write('1\r\n \r\n'.repeat(10_000));
    };
    await expect(client.watch('/x', { onEvents: () => {} })).rejects.toThrow(
      /: the answer comes in pieces of a few bytes$/,
    );
  });

  test('is dead after 180 s without a byte', async () => {
    let response: ServerResponse | undefined;
    handler = (_request, answer) => void (response = answer).write('{}\n');
    let received = Promise.withResolvers<void>();
    const watch = client.watch('/x', { onEvents: () => received.resolve() });
    const ended = watch.catch((error: Error) => error.message);
    await received.promise;
    await clock.advance(seconds(179));
    received = Promise.withResolvers();
    response?.write('{}\n');
    await received.promise;
    await clock.advance(seconds(179));
    received = Promise.withResolvers();
    response?.write('{}\n');
    await received.promise;
    await clock.advance(seconds(179));
    await clock.advance(seconds(2));
    expect(await ended).toContain('not a byte for 180 s');
  });

  test('ends when its signal aborts, or its reader throws', async () => {
    const stop = new AbortController();
    handler = (_request, response) => void response.write('{}\n');
    await expect(
      client.watch('/x', { signal: stop.signal, onEvents: () => stop.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    const onEvents = () => {
      throw new Error('reader');
    };
    await expect(client.watch('/x', { onEvents })).rejects.toThrow('reader');
  });
});
