import { describe, expect, test } from 'vitest';
import { isNotFound, KernelError } from '../../../pkg/errno/errno.ts';
import type { KernelCall } from './fault.ts';
import { RandomFaults } from './random-faults.ts';

const rounds = 20_000;
const write = (kind: string): KernelCall => ({
  name: 'ipvs.write',
  arguments: [{ kind }],
  isWholeBatch: false,
});
const batch: KernelCall = { name: 'ipvs.write', arguments: [[]], isWholeBatch: true };
const read: KernelCall = { name: 'ipvs.realServers', arguments: [], isWholeBatch: false };

function drawn(call: KernelCall, { seed = 1, percent = 30 } = {}) {
  const faults = new RandomFaults({ seed, percent });
  const all = Array.from({ length: rounds }, () => faults.draw(call));
  return { struck: all.flatMap((fault) => fault ?? []) };
}

describe('random faults', () => {
  test.each([3, 30, 60])('strike %d of a hundred calls', (percent) => {
    const { struck } = drawn(write('addRealServer'), { percent });
    expect(Math.abs(struck.length / rounds - percent / 100)).toBeLessThan(0.02);
  });

  test('never strike at 0', () => {
    expect(drawn(read, { percent: 0 }).struck).toEqual([]);
  });

  test('are the same for the same seed, and others for another one', () => {
    const [one, again, other] = [1, 1, 2].map((seed) => drawn(read, { seed }).struck);
    expect(one).toEqual(again);
    expect(one).not.toEqual(other);
  });

  test('are lost answers one time in three', () => {
    const { struck } = drawn(write('addRealServer'));
    const lost = struck.filter(({ isDone }) => isDone).length;
    expect(Math.abs(lost / struck.length - 1 / 3)).toBeLessThan(0.05);
  });

  test('have a code that a lost answer can have where the answer is lost', () => {
    const { struck } = drawn(write('deleteRealServer'));
    const codes = new Set(struck.filter(({ isDone }) => isDone).map(({ code }) => code));
    expect([...codes].sort()).toEqual(['EINTR', 'EIO', 'ENOBUFS', 'ETIMEDOUT']);
  });

  test.each(['deleteRealServer', 'deleteVirtualServer', 'deleteEntry', 'unbindAddress'])(
    'never say of a %s that was not done that there is nothing to delete',
    (kind) => {
      expect(codesOf(kind).some(isMissing)).toBe(false);
    },
  );

  test('say of other writes that something is missing, or there already', () => {
    const codes = codesOf('addRealServer');
    expect(codes.some(isMissing)).toBe(true);
    expect(codes).toContain('EEXIST');
  });

  test('strike whole batches too, and make some of them throw', () => {
    const { struck } = drawn(batch);
    expect(struck.length / rounds).toBeGreaterThan(0.01);
    expect(new Set(struck.map(({ isThrown }) => isThrown))).toEqual(new Set([true, false]));
  });

  test('know what they were asked about', () => {
    const faults = new RandomFaults({ seed: 1, percent: 0 });
    for (const call of [write('addRealServer'), batch, read]) faults.draw(call);
    expect([...faults.callsMet]).toEqual([
      'ipvs.write addRealServer',
      'ipvs.write',
      'ipvs.realServers',
    ]);
  });
});

function codesOf(kind: string) {
  return drawn(write(kind)).struck.map(({ code }) => code);
}

function isMissing(code: string): boolean {
  return isNotFound(new KernelError('', code as `E${string}`));
}
