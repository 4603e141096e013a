import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packUid, unpackUid } from './pod-uid.ts';

test.each([
  ['', ''],
  ['a', 'a'],
  ['fifteen letters', 'fifteen letters'],
  ['sixteen letters!', '=sixteen letters!'],
  ['00000000-0000-4000-8000-00000000ff41', '\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\xff\x41'],
  ['0A000000-0000-4000-8000-000000000000', '=0A000000-0000-4000-8000-000000000000'],
])('the uid %j is kept as %j', (uid, kept) => {
  expect(packUid(uid)).toBe(kept);
  expect(unpackUid(packUid(uid))).toBe(uid);
});

test('every uid is what it was once it is unpacked', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uuid(), fc.string()), (uid) => {
      expect(unpackUid(packUid(uid))).toBe(uid);
    }),
  );
});

test('UUIDs keep their order, and take sixteen characters', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (one, other) => {
      expect(packUid(one) < packUid(other)).toBe(one < other);
      expect(packUid(one)).toHaveLength(16);
    }),
  );
});

test('different uids stay different', () => {
  const text = fc.oneof(
    fc.uuid(),
    fc.string(),
    fc.uuid().map(packUid),
    fc.uuid().map((uid) => `=${uid}`),
  );
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(packUid(one) === packUid(other)).toBe(one === other);
    }),
  );
});
