/** Templates and straight readers against the tables that they are made from. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressFromBytes, type IpAddress } from '../../pkg/ip/address.ts';
import { prefix } from '../../pkg/ip/prefix.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import { EntryLister } from '../../pkg/ipset/answers.ts';
import { commands as ipsetCommands } from '../../pkg/ipset/commands.ts';
import { fromEntryData, setType, toEntryData } from '../../pkg/ipset/convert.ts';
import { RunEncoder } from '../../pkg/ipset/entries.ts';
import type { Entry } from '../../pkg/ipset/ipset.ts';
import { RealServerCommands } from '../../pkg/ipvs/answers.ts';
import * as commands from '../../pkg/ipvs/commands.ts';
import { destIdOf, destOf, realServerOf, serviceIdOf, serviceOf } from '../../pkg/ipvs/convert.ts';
import type {
  Forwarding,
  RealServer,
  RealServerStatus,
  VirtualServer,
} from '../../pkg/ipvs/ipvs.ts';
import { DestEncoder, DestIdEncoder, ServiceEncoder } from '../../pkg/ipvs/templates.ts';
import { listAddresses } from '../../pkg/links/answers.ts';
import { linkAddress } from '../../pkg/links/schema.ts';
import { addressCommands } from '../../pkg/links/templates.ts';
import { AF_INET, AF_INET6, addressFamily } from '../../pkg/netlink/addresses.ts';
import { type Codec, type Decoder, type Encoder, encode } from '../../pkg/wire/codec.ts';
import { DecodeError, Reader } from '../../pkg/wire/reader.ts';
import { StraightReader } from '../../pkg/wire/straight-reader.ts';
import { Template } from '../../pkg/wire/template.ts';
import { EncodeError, Writer } from '../../pkg/wire/writer.ts';
import { ip } from '../support/addresses.ts';
import { budget, schemas } from './all-schemas.ts';
import { valuesOf } from './generators.ts';
import { leavesOf, withLeaves } from './leaves.ts';

/** The bytes, or what the error says. */
function written<T>(encoder: Encoder<T>, value: T): string {
  const writer = new Writer();
  try {
    encoder.encode(writer, value);
    return Buffer.from(writer.written()).toString('hex');
  } catch (error) {
    if (error instanceof EncodeError) return error.message;
    throw error;
  }
}

/** The value, or that the bytes were refused. */
function read<T>(decoder: Decoder<T>, bytes: Uint8Array): unknown {
  try {
    return decoder.decode(new Reader(bytes));
  } catch (error) {
    if (error instanceof DecodeError) return 'refused';
    throw error;
  }
}

/** There are a hundred schemas of a few kinds of parts. */
const few = { ...budget, numRuns: 8 };

describe.each(schemas)('%s', (_, codec) => {
  /** A value, and other ones of the same lengths. */
  const pairs = valuesOf(codec).chain((value) =>
    fc.tuple(fc.constant(value), withLeaves(codec, value)),
  );

  test('a template with all its numbers and bytes set is what the table writes', () => {
    fc.assert(
      fc.property(pairs, ([example, other]) => {
        const leaves = leavesOf(codec, example);
        const variables = Object.fromEntries(leaves.map(({ path }) => [path.join('.'), { path }]));
        const template = Template.of(codec, example, variables);
        for (const { path, value } of leavesOf(codec, other)) {
          const place = template.places[path.join('.')];
          if (place === undefined) throw new Error(`no place for ${path.join('.')}`);
          if (value instanceof Uint8Array) template.setBytes(place, value);
          else template.setNumber(place, value);
        }
        const writer = new Writer();
        template.put(writer);
        expect(writer.written()).toEqual(encode(codec, other));
      }),
      few,
    );
  });

  test('a straight reader that learned from one message reads the numbers of another', () => {
    fc.assert(
      fc.property(pairs, ([example, other]) => {
        const leaves = leavesOf(codec, other).filter(({ value }) => typeof value === 'number');
        const paths = leaves.map(({ path }) => [path.join('.'), path.join('.')]);
        const straight = new StraightReader(codec, Object.fromEntries(paths));
        const learned = encode(codec, example).slice();
        straight.learn(new Reader(learned), 0);
        straight.learn(new Reader(learned), 0);
        expect(straight.matches(new Reader(encode(codec, other)))).toBe(true);
        for (const { path, value } of leaves) {
          const place = straight.places[path.join('.')];
          if (place === undefined) throw new Error(`no place for ${path.join('.')}`);
          expect(straight.number(place)).toBe(value);
        }
      }),
      few,
    );
  });
});

const address: fc.Arbitrary<IpAddress> = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  .map(addressFromBytes);
const protocol = fc.constantFrom(...protocols);
/** Now and then one that does not fit. */
const port = fc.oneof({ weight: 9, arbitrary: fc.nat(65_535) }, fc.constantFrom(65_536, -1, 0.5));
const u32 = fc.oneof(
  { weight: 9, arbitrary: fc.nat({ max: 0xffffffff }) },
  fc.constantFrom(2 ** 32, -1),
);
const virtualServer: fc.Arbitrary<VirtualServer> = fc.record({
  address,
  protocol,
  port,
  flags: u32,
  timeout: u32,
  scheduler: fc.constantFrom('rr', 'wrr', 'sh', 'a\0b'),
  prefixLength: fc.nat(128),
  persistenceEngine: fc.constantFrom('', 'sip'),
});
const forwardings: readonly Forwarding[] = ['masquerade', 'local', 'tunnel', 'direct', 'bypass'];
const realServer: fc.Arbitrary<RealServer> = fc.record({
  address,
  port,
  forwarding: fc.constantFrom(...forwardings),
  weight: u32,
  upperThreshold: u32,
  lowerThreshold: u32,
});

/** Several values through one encoder, which keeps what was set last: each as the table writes it, or refused in its words. */
function expectSame<T, Value>(
  encoder: Encoder<T>,
  {
    values,
    table,
    valueOf,
  }: { values: readonly T[]; table: Codec<Value>; valueOf: (from: T) => Value },
): void {
  for (const value of values) expect(written(encoder, value)).toBe(written(table, valueOf(value)));
}

test('virtual servers are written as by the table', () => {
  const table = commands.newService.request;
  fc.assert(
    fc.property(fc.array(virtualServer), (values) => {
      expectSame(new ServiceEncoder(table), {
        values,
        table,
        valueOf: (value) => ({ service: serviceOf(value) }),
      });
    }),
  );
});

test('real servers are written as by the table, a few virtual servers in turns', () => {
  const some = fc.array(virtualServer, { minLength: 1, maxLength: 3 });
  const writes = some.chain((virtualServers) =>
    fc.array(fc.record({ virtualServer: fc.constantFrom(...virtualServers), realServer })),
  );
  fc.assert(
    fc.property(writes, (values) => {
      expectSame(new DestEncoder(commands.newDest.request), {
        values,
        table: commands.newDest.request,
        valueOf: (write) => ({
          service: serviceIdOf(write.virtualServer),
          dest: destOf(write.realServer),
        }),
      });
      expectSame(new DestIdEncoder(commands.deleteDest.request), {
        values,
        table: commands.deleteDest.request,
        valueOf: (write) => ({
          service: serviceIdOf(write.virtualServer),
          dest: destIdOf(write.realServer),
        }),
      });
    }),
  );
});

const network = fc
  .record({ address, length: fc.nat(128) })
  .map((net) => prefix(net.address, Math.min(net.length, net.address.includes(':') ? 128 : 32)));
const pair = { ip: address, protocol, port: fc.nat(65_535) };
/** An entry of any type; what the kernel refuses, an address of either family, must reach it too. */
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ type: fc.constant('hash:ip' as const), ip: address }),
  fc.record({ type: fc.constant('hash:ip,port' as const), ...pair }),
  fc.record({ type: fc.constant('hash:ip,port,ip' as const), ...pair, ip2: address }),
  fc.record({ type: fc.constant('hash:ip,port,net' as const), ...pair, net: network }),
  fc.record({ type: fc.constant('bitmap:port' as const), port: fc.nat(65_535) }),
);

test('entries are written as by the table', () => {
  const table = ipsetCommands.add.request;
  const run = fc.array(entry, { minLength: 1 });
  fc.assert(
    fc.property(run, (entries) => {
      const write = (one: Entry) => ({ kind: 'addEntry' as const, set: 'KUBE-X', entry: one });
      const values = [entries.map((one, index) => ({ index, write: write(one) }))];
      expectSame(new RunEncoder(6), {
        values,
        table,
        valueOf: () => ({
          family: AF_INET,
          body: {
            protocol: 6,
            name: 'KUBE-X',
            line: 0,
            list: {
              entries: entries.map((one, at) => ({ ...toEntryData(one), line: at + 1 })),
            },
          },
        }),
      });
    }),
  );
});

test('addresses are written as by the table', () => {
  const indexed = fc.record({ address, index: u32 });
  fc.assert(
    fc.property(fc.array(indexed), (values) => {
      const rows = addressCommands();
      const headerOf = (one: { address: IpAddress; index: number }) => ({
        family: addressFamily(one.address),
        flags: 0,
        scope: 0,
        index: one.index,
        prefixLength: one.address.includes(':') ? 128 : 32,
      });
      expectSame(rows.new.request, {
        values,
        table: linkAddress,
        valueOf: (one) => ({
          ...headerOf(one),
          attributes: { address: one.address, local: one.address },
        }),
      });
      expectSame(rows.delete.request, {
        values,
        table: linkAddress,
        valueOf: (one) => ({
          ...headerOf(one),
          attributes: one.address.includes(':')
            ? { address: one.address, local: one.address }
            : { local: one.address },
        }),
      });
    }),
  );
});

/** A message, perhaps with a byte changed and cut. */
function damaged(messages: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const damage = fc.option(fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat(300) }));
  return fc.tuple(messages, damage).map(([message, change]) => {
    if (change === null || message.length === 0) return message;
    const copy = message.slice();
    copy[change.at % copy.length] = change.byte;
    return change.cut % 3 === 0 ? copy.subarray(0, change.cut % copy.length) : copy;
  });
}

/** Messages some of which are alike, so that a layout is learned and met again. */
function conversation(codec: Codec<unknown>): fc.Arbitrary<readonly Uint8Array[]> {
  return valuesOf(codec).chain((value) => {
    const alike = withLeaves(codec, value).map((one) => encode(codec, one).slice());
    const any = valuesOf(codec).map((one) => encode(codec, one).slice());
    return fc.array(damaged(fc.oneof({ weight: 5, arbitrary: alike }, any)));
  });
}

test('real servers are read as by the table, damaged messages too', () => {
  const { reply } = commands.listDests;
  fc.assert(
    fc.property(
      conversation(reply as Codec<unknown>),
      fc.constantFrom(AF_INET, AF_INET6),
      (messages, family) => {
        const ip = addressFromBytes(new Uint8Array(family === AF_INET ? 4 : 16));
        const all = new RealServerCommands().all({ address: ip, protocol: 'TCP', port: 1 });
        const table: Decoder<unknown> = {
          decode: (reader) => realServerOf(reply.decode(reader).dest, family),
        };
        for (const message of messages)
          expect(read(all.reply, message)).toEqual(read(table, message));
      },
    ),
    { numRuns: 300 },
  );
});

test('of real servers those with some addresses are read as by the table, and nothing of others', () => {
  const { reply } = commands.listDests;
  fc.assert(
    fc.property(conversation(reply as Codec<unknown>), fc.nat(3), (messages, every) => {
      const decoded = messages.map((message) =>
        read({ decode: (reader) => realServerOf(reply.decode(reader).dest, AF_INET) }, message),
      ) as ('refused' | RealServerStatus)[]; // that is what it decodes to
      const wanted = new Set<IpAddress>();
      for (const [index, status] of decoded.entries())
        if (status !== 'refused' && index % (every + 1) === 0) wanted.add(status.address);
      const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 1 } as const;
      const some = new RealServerCommands().among(virtualServer, wanted);
      for (const [index, status] of decoded.entries()) {
        const found = read(some.reply, messages[index] as Uint8Array); // one for each
        // What is wrong with one that is not wanted need not be found.
        if (status === 'refused') expect(['refused', undefined]).toContain(found);
        else expect(found).toEqual(wanted.has(status.address) ? status : undefined);
      }
    }),
    { numRuns: 300 },
  );
});

test('addresses are read as by the table, damaged messages too', () => {
  fc.assert(
    fc.property(conversation(linkAddress as Codec<unknown>), (messages) => {
      const row = listAddresses();
      const table: Decoder<unknown> = {
        decode(reader) {
          const { index, prefixLength, attributes } = linkAddress.decode(reader);
          return { index, prefixLength, address: attributes.local ?? attributes.address };
        },
      };
      for (const message of messages)
        expect(read(row.reply, message)).toEqual(read(table, message));
    }),
    { numRuns: 300 },
  );
});

test('entries are read as by the table, damaged messages too', () => {
  const { reply } = ipsetCommands.list;
  const list = fc.record({
    type: fc.constantFrom(
      'hash:ip',
      'hash:ip,port',
      'hash:ip,port,ip',
      'hash:ip,port,net',
      'bitmap:port',
    ),
    entries: fc.array(entry),
  });
  fc.assert(
    fc.property(fc.array(list), fc.nat(), fc.nat(255), (lists, at, byte) => {
      const lister = new EntryLister();
      for (const { type, entries } of lists) {
        const body = { name: 'KUBE-X', type, list: { entries: entries.map(toEntryData) } };
        const message = encode(reply, { family: AF_INET, body }).slice();
        if (byte % 4 === 0) message[at % message.length] = byte;
        const table: Decoder<unknown> = {
          decode: (reader) => {
            const found = reply.decode(reader).body;
            const known = setType(found.type);
            if (known === undefined) return [];
            return (found.list?.entries ?? []).flatMap((data) => fromEntryData(known, data) ?? []);
          },
        };
        expect(read(lister.row().reply, message)).toEqual(read(table, message));
      }
    }),
    // The type of the set becomes a second list, which is none.
    { numRuns: 300, examples: [[[{ type: 'hash:ip', entries: [] }], 18, 8]] },
  );
});
