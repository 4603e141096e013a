import { expect, test } from 'vitest';
import { attributes, optional, required } from './attributes.ts';
import { encode, u16be, u32 } from './codec.ts';
import { Reader } from './reader.ts';
import { StraightReader } from './straight-reader.ts';

const part = attributes('PART', { size: optional(1, u32), port: optional(2, u16be) });
const table = attributes('WHOLE', { part: required(1, part), other: optional(2, u32) });
const paths = { size: 'part.size', port: 'part.port', other: 'other' } as const;

function straightOn(...messages: readonly Uint8Array[]): StraightReader<keyof typeof paths> {
  const straight = new StraightReader(table, paths);
  for (const message of messages) straight.learn(new Reader(message), 0);
  return straight;
}

const bytes = (value: Parameters<typeof table.encode>[1]) => encode(table, value).slice();
const small = bytes({ part: { size: 1, port: 80 } });
const large = bytes({ part: { size: 1, port: 80 }, other: 3 });

test('a layout is learned from the second message of its length, and its values are read', () => {
  expect(straightOn(small).matches(new Reader(small))).toBe(false);
  const straight = straightOn(small, small);
  expect(straight.matches(new Reader(bytes({ part: { size: 7, port: 443 } })))).toBe(true);
  expect(straight.number(straight.places.size)).toBe(7);
  expect(straight.number(straight.places.port)).toBe(443);
  expect(straight.has(straight.places.other)).toBe(false);
  expect(straight.number(straight.places.other)).toBe(0);
});

test('two layouts in turns do not push each other out', () => {
  const straight = straightOn(small, small);
  for (let turn = 0; turn < 3; turn++) {
    expect(straight.matches(new Reader(large))).toBe(false);
    straight.learn(new Reader(large), 0);
    expect(straight.matches(new Reader(small))).toBe(true);
  }
});

test('a message whose attributes have other types, or other places, does not match', () => {
  const straight = straightOn(small, small);
  for (let at = 0; at < small.length; at++) {
    const changed = small.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    const isHeader = at < 8 || (at >= 12 && at < 16);
    expect(straight.matches(new Reader(changed))).toBe(!isHeader);
  }
});

test('a message in which an attribute stands twice is left to the table', () => {
  const twice = new Uint8Array([...small, ...small]);
  expect(table.decode(new Reader(twice))).toEqual({ part: { size: 1, port: 80 } });
  expect(straightOn(twice, twice).matches(new Reader(twice))).toBe(false);
});

test('a message somewhere in the bytes is read from where it begins', () => {
  const straight = straightOn(small, small);
  const shifted = new Uint8Array([9, 9, 9, ...small]);
  expect(straight.matches(new Reader(shifted, 3))).toBe(true);
  expect(straight.number(straight.places.port)).toBe(80);
  expect(straight.matches(new Reader(shifted, 3, shifted.length - 1))).toBe(false);
});
