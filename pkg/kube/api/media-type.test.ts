import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  encodeFrame,
  encodeList,
  encodeObject,
  protobufType,
} from '@kube-proxy-ipvs/test-apiserver/protobuf-encode';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { noMetrics } from '../metrics.ts';
import { HttpClient } from './client.ts';

let server: Server;
let handler: RequestListener;
let clients: HttpClient[];
let clock: ManualClock;

beforeEach(async () => {
  server = createServer((request, response) => handler(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  clients = [];
  clock = manualClock();
});

afterEach(() => {
  for (const client of clients) client.close();
  server.close();
});

function connect(contentTypes?: string): HttpClient {
  const { port } = server.address() as AddressInfo; // it listens on a port
  const connection = {
    server: new URL(`http://127.0.0.1:${port}`),
    credentials: async () => ({ headers: {}, tls: {}, agent: undefined }),
  };
  const common = { connection, clock, metrics: noMetrics, userAgent: 'kube-proxy/test' };
  const client = new HttpClient({ ...common, contentTypes });
  clients.push(client);
  return client;
}

const head = { kind: 'NodeList', apiVersion: 'v1', metadata: { resourceVersion: '7' } };
const item = { metadata: { name: 'n1' }, spec: {}, status: {} };
const both = `${protobufType},application/json`;

/** Lists. Returns the items and the list without them. */
async function list(client: HttpClient): Promise<unknown[]> {
  const items: unknown[] = [];
  const end = await client.list('/x', { onItems: (some) => items.push(...some) });
  return [...items, end];
}

test.each([
  ['protobuf, or JSON where there is none', undefined, both],
  ['protobuf where it is asked for', protobufType, both],
  ['protobuf where it is among others', `application/json, ${protobufType}`, both],
  ['JSON where that is asked for', 'application/json', 'application/json'],
  ['JSON where what is asked for is not known', 'application/cbor', 'application/json'],
])('lists and watches want %s; everything else is JSON', async (_, contentTypes, accept) => {
  const accepted: unknown[] = [];
  handler = ({ headers, url }, response) => {
    accepted.push([url, headers.accept]);
    response.setHeader('content-type', 'application/json');
    response.end(url?.startsWith('/w') === true ? '' : '{"items":[]}');
  };
  const client = connect(contentTypes);
  await client.get('/g');
  await client.list('/l', { onItems() {} });
  await client.watch('/w', { onEvents() {} });
  await client.post('/p', {});
  expect(accepted).toEqual([
    ['/g', 'application/json'],
    ['/l', accept],
    ['/w', accept],
    ['/p', 'application/json'],
  ]);
});

test.each([
  [protobufType, encodeList(head, [item])],
  [`${protobufType.toUpperCase()}; charset=x`, encodeList(head, [item])],
  ['application/json', JSON.stringify({ ...head, items: [item] })],
  ['text/html', JSON.stringify({ ...head, items: [item] })],
])('a list is read as its content type says: %s', async (type, body) => {
  handler = (_, response) => {
    response.setHeader('content-type', type);
    response.end(body);
  };
  expect(await list(connect())).toEqual([item, { ...head, items: [] }]);
});

test('a watch in protobuf is read frame by frame, and one that breaks off in a frame fails after those before', async () => {
  const event = { type: 'ADDED', object: { kind: 'Node', apiVersion: 'v1', ...item } };
  handler = (_, response) => {
    response.writeHead(200, { 'content-type': `${protobufType};stream=watch` });
    response.write(encodeFrame(event));
    response.end(encodeFrame(event).subarray(0, 30));
  };
  const events: unknown[] = [];
  const watch = connect().watch('/x', { onEvents: (some) => events.push(...some) });
  await expect(watch).rejects.toMatchObject({ name: 'ConnectionError' });
  expect(events).toEqual([event]);
});

test.each<[string, Buffer]>([
  ['that is JSON', Buffer.from('{"kind":"NodeList","items":[]}')],
  ['that breaks off', encodeList(head, [item]).subarray(0, 40)],
])('a list %s and says that it is protobuf is a lost connection', async (_, body) => {
  handler = (_request, response) => {
    response.setHeader('content-type', protobufType);
    response.end(body);
  };
  await expect(list(connect())).rejects.toMatchObject({ name: 'ConnectionError' });
});

test('an error in protobuf says what its Status says', async () => {
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    code: 504,
    reason: 'Timeout',
    message: 'too large',
    details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 3 },
  };
  handler = (_, response) => {
    response.writeHead(504, { 'content-type': protobufType });
    response.end(encodeObject(status));
  };
  await expect(list(connect())).rejects.toMatchObject({
    name: 'ApiError',
    status: 504,
    reason: 'Timeout',
    retryAfter: 3_000,
    causes: ['ResourceVersionTooLarge'],
    message: expect.stringContaining('too large') as unknown,
  });
});

test('an error that says it is protobuf and is none has its status alone', async () => {
  handler = (_, response) => {
    response.writeHead(503, { 'content-type': protobufType });
    response.end('no healthy upstream');
  };
  await expect(list(connect())).rejects.toMatchObject({ name: 'ApiError', status: 503 });
});
