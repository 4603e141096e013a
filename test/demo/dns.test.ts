import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { type Answers, serveDns } from './dns.ts';
import { loopback } from './loopback.ts';

const names: Readonly<Record<string, Answers>> = {
  'payments.shop': {
    type: 'addresses',
    addresses: [ip('172.30.0.6'), ip('fd00:172:30::2'), ip('172.30.0.7')],
  },
  'mail.shop': { type: 'alias', of: 'smtp.example.com' },
};
const sockets: Socket[] = [];
const resolvers: Resolver[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
  for (const resolver of resolvers.splice(0)) resolver.cancel();
});

function serve(): number {
  const socket = serveDns(loopback, { address: ip('127.0.0.1'), port: 0 }, (name) => names[name]);
  sockets.push(socket);
  return (socket.address() as AddressInfo).port;
}

function resolver(): Resolver {
  const asking = new Resolver();
  asking.setServers([`127.0.0.1:${serve()}`]);
  resolvers.push(asking);
  return asking;
}

test('addresses are answered by family, names whatever the size of their letters', async () => {
  const dns = resolver();
  expect(await dns.resolve4('Payments.SHOP')).toEqual(['172.30.0.6', '172.30.0.7']);
  expect(await dns.resolve6('payments.shop')).toEqual(['fd00:172:30::2']);
});

test('an alias is answered as one', async () => {
  expect(await resolver().resolveCname('mail.shop')).toEqual(['smtp.example.com']);
});

test('a name that is not there does not exist', async () => {
  await expect(resolver().resolve4('none.shop')).rejects.toThrow('ENOTFOUND');
});

test('what is no question is not answered, and the next one is', async () => {
  const port = serve();
  const client = createSocket('udp4');
  sockets.push(client);
  client.send(Buffer.from([1, 2, 3]), port, '127.0.0.1');
  client.send(Buffer.from(`${'00'.repeat(5)}01${'00'.repeat(6)}3f61`, 'hex'), port, '127.0.0.1');
  const asking = new Resolver();
  resolvers.push(asking);
  asking.setServers([`127.0.0.1:${port}`]);
  expect(await asking.resolve4('payments.shop')).toContain('172.30.0.6');
});
