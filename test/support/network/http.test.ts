import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ip } from '../addresses.ts';
import { fetchText, get, serveHttp } from './http.ts';
import { loopback } from './loopback.ts';

const address = ip('127.0.0.1');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  if (!server.listening) await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a pod answers with its name and the address it saw', async () => {
  const port = await listening(serveHttp(loopback, { address, port: 0 }));
  expect(await get(loopback, { address, port })).toEqual({
    pod: 'this-machine',
    peer: '127.0.0.1',
  });
});

test('any other status than 200 is a failure', async () => {
  const server = createServer((_, response) => response.writeHead(503).end('no'));
  const port = await listening(server.listen(0, '127.0.0.1'));
  await expect(fetchText(loopback, { address, port, path: '/' })).rejects.toThrow('status 503');
});

test('who is refused is told so', async () => {
  const port = await listening(serveHttp(loopback, { address, port: 0 }));
  const [server] = servers.splice(0);
  server?.close();
  await expect(get(loopback, { address, port })).rejects.toThrow('ECONNREFUSED');
});
