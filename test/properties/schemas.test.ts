import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as conntrack from '../../pkg/conntrack/schema.ts';
import * as firewall from '../../pkg/firewall/schema.ts';
import * as ipset from '../../pkg/ipset/schema.ts';
import * as ipvsCommands from '../../pkg/ipvs/commands.ts';
import * as ipvs from '../../pkg/ipvs/schema.ts';
import * as links from '../../pkg/links/schema.ts';
import * as neighbours from '../../pkg/neighbours/schema.ts';
import { extendedAck } from '../../pkg/netlink/extended-ack.ts';
import { controlAttributes } from '../../pkg/netlink/generic.ts';
import * as reset from '../../pkg/reset/schema.ts';
import { type Codec, decode, encode } from '../../pkg/wire/codec.ts';
import { DecodeError } from '../../pkg/wire/reader.ts';
import { valuesOf } from './generators.ts';

/** Every schema of the program: a schema file joins by being imported here. */
const schemas: readonly (readonly [string, Codec<unknown>])[] = [
  ...codecsOf('netlink', { extendedAck, controlAttributes }),
  ...codecsOf('ipvs', ipvs),
  ...codecsOf('ipvs', ipvsCommands),
  ...codecsOf('ipset', ipset),
  ...codecsOf('firewall', firewall),
  ...codecsOf('links', links),
  ...codecsOf('conntrack', conntrack),
  ...codecsOf('neighbours', neighbours),
  ...codecsOf('reset', reset),
];

/** The codecs of a module, those of its commands among them. */
function codecsOf(path: string, module: object): (readonly [string, Codec<unknown>])[] {
  return Object.entries(module).flatMap(([name, member]) => {
    if (typeof member !== 'object' || member === null) return [];
    if ('shape' in member) return [[`${path} ${name}`, member as Codec<unknown>] as const];
    const isCommands = 'request' in member || name === 'commands';
    return isCommands ? codecsOf(`${path} ${name}`, member) : [];
  });
}

const budget = { numRuns: 100, interruptAfterTimeLimit: 1_000, markInterruptAsFailure: false };

/** The value or the error; anything but a DecodeError is thrown on. */
function tryDecode(codec: Codec<unknown>, bytes: Uint8Array): unknown {
  try {
    return decode(codec, bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

test('the list holds the schemas', () => {
  expect(schemas.length).toBeGreaterThanOrEqual(60);
});

describe.each(schemas)('%s', (_, codec) => {
  test('what is encoded is decoded again', () => {
    fc.assert(
      fc.property(valuesOf(codec), (value) => {
        expect(decode(codec, encode(codec, value))).toEqual(value);
      }),
      budget,
    );
  });

  test('of garbage nothing but a DecodeError comes out', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        tryDecode(codec, bytes);
      }),
      budget,
    );
  });

  test('of damaged messages nothing but a DecodeError comes out', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
    fc.assert(
      fc.property(valuesOf(codec), damage, (value, { at, byte, cut }) => {
        const bytes = encode(codec, value).slice();
        if (bytes.length === 0) return;
        bytes[at % bytes.length] = byte;
        tryDecode(codec, bytes);
        tryDecode(codec, bytes.subarray(0, cut % bytes.length));
      }),
      budget,
    );
  });

  test('a message that is cut short is not taken for another one of the same value', () => {
    fc.assert(
      fc.property(valuesOf(codec), fc.nat(), (value, cut) => {
        const bytes = encode(codec, value);
        const length = cut % Math.max(1, bytes.length);
        const isPadding =
          bytes.subarray(length).every((byte) => byte === 0) && bytes.length - length < 4;
        if (bytes.length === 0 || isPadding) return;
        expect(tryDecode(codec, bytes.subarray(0, length))).not.toEqual(value);
      }),
      budget,
    );
  });
});
