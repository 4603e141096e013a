import { describe, expect, test } from 'vitest';
import {
  bytesOf,
  type Codec,
  cstring,
  decode,
  encode,
  padding,
  s32,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
} from './codec.ts';
import { isLittleEndian, Reader } from './reader.ts';
import { mapped, prefixed, struct } from './struct.ts';
import { Writer } from './writer.ts';

function hex<T>(codec: Codec<T>, value: T): string {
  return Buffer.from(encode(codec, value)).toString('hex');
}

test.each<[string, Codec<unknown>, unknown, string]>([
  ['u8', u8, 0xfe, 'fe'],
  ['u16be', u16be, 0x1234, '1234'],
  ['u32be', u32be, 0xfffefdfc, 'fffefdfc'],
  ['u64be', u64be, 0x0102030405060708n, '0102030405060708'],
  ['text', cstring, 'wrr', '77727200'],
  ['text beyond ASCII', cstring, 'ä€', 'c3a4e282ac00'],
])('%s is in network order', (_, codec, value, text) => {
  expect(hex(codec, value)).toBe(text);
  expect(decode(codec, Buffer.from(text, 'hex'))).toBe(value);
});

test.runIf(isLittleEndian).each<[string, Codec<unknown>, unknown, string]>([
  ['u16', u16, 0x1234, '3412'],
  ['u32', u32, 0xfffefdfc, 'fcfdfeff'],
  ['s32', s32, -2, 'feffffff'],
  ['u64', u64, 0xffff_ffff_ffff_fffen, 'feffffffffffffff'],
])('%s is in the order of the host', (_, codec, value, text) => {
  expect(hex(codec, value)).toBe(text);
  expect(decode(codec, Buffer.from(text, 'hex'))).toBe(value);
});

test.each<[string, Codec<unknown>, readonly unknown[]]>([
  ['u8', u8, [-1, 256, 0.5, Number.NaN]],
  ['u16', u16, [-1, 65_536, 1e10]],
  ['u16be', u16be, [-1, 65_536]],
  ['u32', u32, [-1, 2 ** 32, 0.1]],
  ['u32be', u32be, [-1, 2 ** 32]],
  ['s32', s32, [2 ** 31, -(2 ** 31) - 1, 0.5]],
  ['u64', u64, [-1n, 2n ** 64n]],
  ['u64be', u64be, [-1n, 2n ** 64n]],
])('%s refuses what it cannot hold', (_, codec, values) => {
  for (const value of values) expect(() => encode(codec, value)).toThrow(`${String(value)} is no`);
});

test('bytes of a fixed length refuse any other', () => {
  expect(() => encode(bytesOf(4, 16), new Uint8Array(5))).toThrow('5 bytes, not 4 or 16');
  expect(() => decode(bytesOf(4, 16), new Uint8Array(5))).toThrow('5 bytes, not 4 or 16');
});

test('bytes that were read stay as they were when the buffer is used again', () => {
  const buffer = Uint8Array.of(1, 2, 3, 4);
  const value = decode(bytesOf(4), buffer);
  buffer.fill(9);
  expect([...value]).toEqual([1, 2, 3, 4]);
});

describe('struct', () => {
  const flags = struct({ value: u8, gap: padding(3), mask: u32be });

  test('padding is written as zeros and is no field of the value', () => {
    const writer = new Writer(8);
    writer.put(new Uint8Array(8).fill(0xee));
    writer.truncate(0);
    flags.encode(writer, { value: 1, mask: 2 });
    expect(Buffer.from(writer.written()).toString('hex')).toBe('0100000000000002');
    expect(decode(flags, Buffer.from('01ffffff00000002', 'hex'))).toEqual({ value: 1, mask: 2 });
  });

  test('an error names the field', () => {
    expect(() => encode(flags, { value: 300, mask: 0 })).toThrow('value: 300 is no u8');
    expect(() => decode(flags, new Uint8Array(6))).toThrow('mask: needs 4 bytes, has 2');
  });

  test('bytes behind the value are refused', () => {
    expect(() => decode(flags, new Uint8Array(9))).toThrow('1 bytes too many');
  });
});

test('a prefix is written, and skipped without a look', () => {
  const codec = prefixed([5, 1, 0, 0], u8);
  expect(hex(codec, 7)).toBe('0501000007');
  expect(decode(codec, Uint8Array.of(9, 9, 9, 9, 7))).toBe(7);
});

test('a mapped value is another type outside', () => {
  const seconds = mapped(u32be, {
    decode: (count) => `${count} s`,
    encode: (text: string) => Number.parseInt(text, 10),
  });
  expect(hex(seconds, '10 s')).toBe('0000000a');
  expect(decode(seconds, Buffer.from('0000000a', 'hex'))).toBe('10 s');
});

test('a writer grows, forgets its end and its beginning', () => {
  const writer = new Writer(2);
  for (let value = 0; value < 100; value++) writer.u8(value);
  writer.truncate(50);
  writer.discard(47);
  expect([...writer.written()]).toEqual([47, 48, 49]);
  writer.align();
  expect([...writer.written()]).toEqual([47, 48, 49, 0]);
});

test.each<[string, (writer: Writer) => void, string]>([
  ['u16be', (writer) => writer.u16be(0x0102), '0102'],
  ['u32be', (writer) => writer.u32be(0x01020304), '01020304'],
  ['u64be', (writer) => writer.u64be(0x0102030405060708n), '0102030405060708'],
  ['bytes', (writer) => writer.put(Uint8Array.of(1, 2, 3)), '010203'],
  ['text', (writer) => writer.text('rr'), '727200'],
  ['zeros', (writer) => writer.zeros(2), '0000'],
])('%s makes the writer grow', (_, write, text) => {
  const writer = new Writer(1);
  writer.u8(0xee);
  write(writer);
  expect(Buffer.from(writer.written()).toString('hex')).toBe(`ee${text}`);
});

test('a reader never goes back, whatever length it is given', () => {
  const reader = new Reader(new Uint8Array(8), 4);
  for (const read of [() => reader.take(-2), () => reader.skip(-2), () => reader.narrow(-2)])
    expect(read).toThrow('needs -2 bytes, has 4');
  expect(reader.offset).toBe(4);
});

test('a reader does not leave the part it was narrowed to', () => {
  const reader = new Reader(Uint8Array.of(1, 2, 3, 4));
  const end = reader.narrow(2);
  expect(() => reader.u32()).toThrow('needs 4 bytes, has 2');
  expect(() => reader.narrow(3)).toThrow('needs 3 bytes, has 2');
  reader.end = end;
  expect(reader.u32be()).toBe(0x01020304);
});
