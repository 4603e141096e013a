import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { addressBytes, familyOf, type IpAddress } from '../../../pkg/ip/address.ts';
import { serverSocket } from './host-socket.ts';
import type { Host } from './network.ts';
import type { SocketAddress } from './sockets.ts';

// The least of DNS that a cluster's DNS server needs to be one: A, AAAA and CNAME, one question a message (RFC 1035).

/** What a name stands for. */
export type Answers =
  | { readonly type: 'addresses'; readonly addresses: readonly IpAddress[] }
  | { readonly type: 'alias'; readonly of: string };

/** What is asked: a name in small letters, without the dot at its end, and the number of a type. */
interface Question {
  readonly name: string;
  readonly type: number;
}

const types = { A: 1, CNAME: 5, AAAA: 28 } as const;
const headerLength = 12;
const timeToLive = 5; // seconds

/** Serves DNS over UDP on an address of a host. A name without answers does not exist. */
export function serveDns(
  host: Host,
  at: SocketAddress,
  answer: (name: string) => Answers | undefined,
): Socket {
  const fd = serverSocket(host, 'UDP', at);
  const socket = createSocket(familyOf(at.address) === 'IPv4' ? 'udp4' : 'udp6');
  socket.on('message', (query, from) => {
    const question = readQuestion(query);
    if (question === undefined) return;
    socket.send(
      reply(query, { question, answers: answer(question.name) }),
      from.port,
      from.address,
    );
  });
  socket.bind({ fd });
  return socket;
}

/** Asks a server as a host does, from a fresh port, with Node's own resolver: addresses of a name, or what it is an alias of. */
export async function resolve(
  host: Host,
  { server, name, type }: { server: IpAddress; name: string; type: 'A' | 'AAAA' | 'CNAME' },
): Promise<string[]> {
  const resolver = new Resolver({ timeout: 10_000, tries: 1 });
  resolver.setServers([server]);
  const leave = host.namespace.enter();
  try {
    // Its socket is opened before this returns.
    return (await inside(() => resolver.resolve(`${name}.`, type))) as string[];
  } finally {
    resolver.cancel();
  }

  function inside<T>(ask: () => T): T {
    try {
      return ask();
    } finally {
      leave();
    }
  }
}

/** The question of a query; undefined if it is none. */
function readQuestion(query: Buffer): Question | undefined {
  if (query.length < headerLength || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = headerLength;
  for (let length = query[at]; length !== 0; length = query[at]) {
    if (length === undefined || length > 63) return undefined;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at + 5 > query.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1) };
}

function reply(
  query: Buffer,
  { question, answers }: { question: Question; answers: Answers | undefined },
): Buffer {
  const records = recordsFor(question, answers);
  const header = Buffer.alloc(headerLength);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8580 | (answers === undefined ? 3 : 0), 2); // an authoritative answer; 3: no such name
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const asked = query.subarray(headerLength, headerLength + encodeName(question.name).length + 4);
  return Buffer.concat([header, asked, ...records]);
}

function recordsFor({ type }: Question, answers: Answers | undefined): Buffer[] {
  if (answers === undefined) return [];
  if (answers.type === 'alias') return [record(types.CNAME, encodeName(answers.of))];
  const family = type === types.A ? 'IPv4' : type === types.AAAA ? 'IPv6' : undefined;
  return answers.addresses
    .filter((address) => familyOf(address) === family)
    .map((address) => record(type, Buffer.from(addressBytes(address))));
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | headerLength, 0); // its name is the question's
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4); // IN
  head.writeUInt32BE(timeToLive, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
