import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manualClock } from '../../runner/manual-clock.ts';
import { noMetrics } from '../metrics.ts';
import { HttpClient } from './client.ts';

const clock = manualClock();
/** What was counted, without the host. */
let counted: unknown[];
let hosts: Set<string>;
let answer: (response: ServerResponse) => void;
let server: Server;
let client: HttpClient;

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume();
    request.on('end', () => answer(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  counted = [];
  hosts = new Set();
  const count =
    (what: string) =>
    ({ host, ...rest }: { readonly host: string }) => {
      hosts.add(host);
      counted.push([what, ...Object.values(rest)]);
    };
  client = new HttpClient({
    connection: {
      server: new URL(`http://${address()}/`),
      credentials: async () => ({ headers: {}, tls: {}, agent: undefined }),
    },
    clock,
    metrics: {
      ...noMetrics,
      requested: count('requested'),
      rateLimited: count('rateLimited'),
      sent: count('sent'),
      received: count('received'),
    },
    userAgent: 'kube-proxy/test',
  });
});

afterEach(() => {
  client.close();
  server.close();
});

function address(): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a request without a body counts an empty one, and the bytes of its answer', async () => {
  answer = (response) => response.end('{"a":"é"}');
  await client.get('/x');
  expect(counted).toEqual([
    ['rateLimited', 'GET', 0],
    ['requested', 'GET', '200', 0, false],
    ['sent', 'GET', 0],
    ['received', 'GET', 10],
  ]);
  expect([...hosts]).toEqual([address()]);
});

test('the size of a body is that of its bytes', async () => {
  answer = (response) => response.end('{}');
  await client.post('/x', { a: 'é' });
  expect(counted).toContainEqual(['sent', 'POST', 10]);
});

test('a list counts its bytes when it has been read to its end, and not when it ends before', async () => {
  const text = '{"items":[{}]}';
  answer = (response) => response.end(text);
  await client.list('/x', { onItems() {} });
  expect(counted).toContainEqual(['received', 'GET', text.length]);
  counted = [];
  answer = (response) => void response.write('{"items":[', () => response.destroy());
  await expect(client.list('/x', { onItems() {} })).rejects.toThrow('GET');
  expect(counted).toEqual([
    ['rateLimited', 'GET', 0],
    ['requested', 'GET', '200', 0, false],
    ['sent', 'GET', 0],
  ]);
});

test('an error counts the bytes of its message', async () => {
  answer = (response) => response.writeHead(500).end('{"kind":"Status"}');
  await expect(client.get('/x')).rejects.toMatchObject({ status: 500 });
  expect(counted).toContainEqual(['received', 'GET', 17]);
});

test('a watch counts as a request, without sizes', async () => {
  answer = (response) => response.end('{"type":"BOOKMARK"}\n');
  await client.watch('/x', { onEvents() {} });
  expect(counted).toEqual([
    ['rateLimited', 'GET', 0],
    ['requested', 'GET', '200', 0, false],
  ]);
});

test('a request that is sent again with fresh credentials is a retry, whatever its answer', async () => {
  answer = (response) => response.writeHead(401).end('{}');
  await expect(client.get('/x')).rejects.toMatchObject({ status: 401 });
  expect(counted.filter((each) => Array.isArray(each) && each[0] === 'requested')).toEqual([
    ['requested', 'GET', '401', 0, false],
    ['requested', 'GET', '401', 0, true],
  ]);
});

test('a request without an answer counts as an error, with what was sent', async () => {
  answer = (response) => response.destroy();
  await expect(client.patch('/x', {})).rejects.toThrow('PATCH');
  expect(counted).toEqual([
    ['rateLimited', 'PATCH', 0],
    ['requested', 'PATCH', '<error>', 0, false],
    ['sent', 'PATCH', 2],
  ]);
});

test('what a request waits for the rate limit is counted', async () => {
  answer = (response) => response.end('{}');
  const done = Promise.all(Array.from({ length: 12 }, () => client.get('/x')));
  await clock.advance(200);
  await done;
  const waits = counted.flatMap((each) =>
    Array.isArray(each) && each[0] === 'rateLimited' ? [each[2]] : [],
  );
  expect(waits).toEqual([...Array.from({ length: 10 }, () => 0), 0.1, 0.2]);
});
