import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askHub, type Hub, withDigests } from './digests.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const dockerfile = readFileSync('Dockerfile', 'utf8');

test('each base of the Dockerfile gets its digest, in the place of an older one', async () => {
  const asked: string[] = [];
  const ask = (digit: string) => async (repository: string, tag: string) => {
    asked.push(`${repository}:${tag}`);
    return digest(digit);
  };
  const first = await withDigests(dockerfile, ask('a'));
  const second = await withDigests(first, ask('b'));
  const names = [...dockerfile.matchAll(/^ARG \w+=([^@\n]+)/gm)].map(([, name = '']) => name);
  expect(names).toHaveLength(2);
  expect(asked).toEqual([...names, ...names]);
  for (const name of names) expect(second).toContain(`=${name}@${digest('b')}\n`);
  expect(second).not.toContain(digest('a'));
  expect(second.replaceAll(`@${digest('b')}`, '')).toBe(
    dockerfile.replaceAll(/@sha256:[0-9a-f]{64}/g, ''),
  );
});

test.each([
  ['no digest', async () => undefined, 'the registry names no digest'],
  ['something else', async () => 'latest', 'the registry names no digest'],
  ['an error', () => Promise.reject(new Error('HTTP 503')), 'HTTP 503'],
])('a registry that answers %s is an error', async (_, ask, message) => {
  await expect(withDigests(dockerfile, ask)).rejects.toThrow(message);
});

let server: Server;
let hub: Hub;
let requests: string[];
let status: number;

beforeEach(async () => {
  requests = [];
  status = 200;
  server = createServer(({ method, url = '', headers }, response) => {
    requests.push(`${method} ${url} ${headers.authorization ?? ''}`.trim());
    if (url.startsWith('/token')) return void response.end('{"token":"secret"}');
    const isList = headers.accept?.startsWith('application/vnd.oci.image.index') === true;
    response.writeHead(status, { 'docker-content-digest': digest(isList ? 'c' : 'd') }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hub = { registry: url, tokens: `${url}/token?service=us` };
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test('Docker Hub is asked with a token, for the list of all processors', async () => {
  expect(await askHub(hub)('debian', 'bookworm-slim')).toBe(digest('c'));
  expect(requests).toEqual([
    'GET /token?service=us&scope=repository:library/debian:pull',
    'HEAD /v2/library/debian/manifests/bookworm-slim Bearer secret',
  ]);
});

test('a tag that is not there has no digest, and any other failure is an error', async () => {
  status = 404;
  expect(await askHub(hub)('owner/image', '1')).toBeUndefined();
  expect(requests[1]).toContain('/v2/owner/image/manifests/1');
  status = 429;
  await expect(askHub(hub)('debian', '1')).rejects.toThrow('HTTP 429');
});
