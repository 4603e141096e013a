import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ip } from '../addresses.ts';
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

test('addresses are answered by family', async () => {
  const dns = resolver();
  expect(await dns.resolve4('payments.shop')).toEqual(['172.30.0.6', '172.30.0.7']);
  expect(await dns.resolve6('payments.shop')).toEqual(['fd00:172:30::2']);
});

test('an alias is answered as one', async () => {
  expect(await resolver().resolveCname('mail.shop')).toEqual(['smtp.example.com']);
});

test('a name that is not there does not exist', async () => {
  await expect(resolver().resolve4('none.shop')).rejects.toThrow('ENOTFOUND');
});

test('a name is looked up whatever the size of its letters, and the question is repeated as it was', async () => {
  const asked = Buffer.concat([
    header(7),
    Buffer.from('\u0008PAYments\u0004shop\0\0\u0001\0\u0001'),
  ]);
  const [reply] = await exchange([asked]);
  expect(reply?.readUInt16BE(6)).toBe(2); // answers
  expect(reply?.subarray(12, asked.length)).toEqual(asked.subarray(12));
});

test.each([
  { what: 'is too short', bytes: Buffer.from([1, 2, 3]) },
  { what: 'ends within a name', bytes: Buffer.concat([header(1), Buffer.from('3f61', 'hex')]) },
  {
    what: 'refers elsewhere',
    bytes: Buffer.concat([header(1), Buffer.from([0xc0]), Buffer.alloc(300)]),
  },
  { what: 'asks nothing', bytes: Buffer.alloc(40) },
])('a message that $what is not answered, the next one is', async ({ bytes }) => {
  const good = Buffer.concat([header(7), Buffer.from('\u0004none\0\0\u0001\0\u0001')]);
  const [reply] = await exchange([bytes, good]);
  expect(reply?.readUInt16BE(0)).toBe(7);
});

/** Of a query with one question. */
function header(id: number): Buffer {
  return Buffer.from([0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
}

/** Sends messages in this order and returns the first answer. */
async function exchange(messages: readonly Buffer[]): Promise<Buffer[]> {
  const port = serve();
  const client = createSocket('udp4');
  sockets.push(client);
  const answered = once(client, 'message') as Promise<Buffer[]>;
  for (const message of messages) client.send(message, port, '127.0.0.1');
  return answered;
}
