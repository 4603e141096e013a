import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { serveHttp } from '../support/network/http.ts';
import { loopback } from '../support/network/loopback.ts';
import { Load } from './load.ts';
import { until } from './wait.ts';

const address = ip('127.0.0.1');

test('requests are counted by when they were made, and failures are told by who asked', async () => {
  const server = serveHttp(loopback, { address, port: 0 });
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const load = new Load();
  load.add(loopback, { address, port });
  await until('some answers', () => load.answered.length >= 3);
  const moment = performance.now();
  const before = load.answered.length;
  await until('more answers', () => load.since(moment).length >= 2);
  expect(load.since(0).length).toBeGreaterThanOrEqual(before + 2);
  expect(load.since(moment).every(({ made }) => made > moment)).toBe(true);
  server.close();
  await until('a refusal', () => load.failures.some((text) => text.includes('ECONNREFUSED')));
  await load.stop();
  expect(load.failures.every((text) => text.startsWith('this-machine: '))).toBe(true);
});
