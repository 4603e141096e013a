import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from './due-queue.ts';

test('those that are due come out in the order of their time', () => {
  const queue = new DueQueue<string>();
  queue.set('c', 30);
  queue.set('a', 10);
  queue.set('b', 20);
  queue.set('d', 40);
  expect(queue.next).toBe(10);
  expect([queue.take(30), queue.take(30)]).toEqual(['a', 'b']);
  expect(queue.next).toBe(30);
  expect([queue.take(30), queue.take(30)]).toEqual(['c', undefined]);
});

test('all that are due come out at once, in the order of their time', () => {
  const queue = new DueQueue<string>();
  for (const [item, due] of [
    ['c', 30],
    ['a', 10],
    ['b', 20],
  ] as const)
    queue.set(item, due);
  expect([queue.takeAll(20), queue.takeAll(20), queue.next]).toEqual([['a', 'b'], [], 30]);
});

test('what never comes due does not wait', () => {
  const queue = new DueQueue<string>();
  queue.set('a', 1);
  queue.set('a', Number.POSITIVE_INFINITY);
  expect([queue.next, queue.take(2)]).toEqual([Number.POSITIVE_INFINITY, undefined]);
});

type Step =
  | { readonly kind: 'set'; readonly item: number; readonly due: number }
  | { readonly kind: 'delete'; readonly item: number }
  | { readonly kind: 'take'; readonly now: number };

const item = fc.integer({ min: 0, max: 30 });
const time = fc.integer({ min: 0, max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), item, due: time }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), item }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('take' as const), now: time }),
  },
);

test('it is a list that is sorted anew each time', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400, size: 'max' }), (steps) => {
      const queue = new DueQueue<number>();
      const model = new Map<number, number>();
      for (const one of steps) {
        if (one.kind === 'set') {
          queue.set(one.item, one.due);
          model.set(one.item, one.due);
        } else if (one.kind === 'delete') {
          queue.delete(one.item);
          model.delete(one.item);
        } else {
          const first = Math.min(...model.values());
          const taken = queue.take(one.now);
          const due = taken === undefined ? undefined : model.get(taken);
          expect(due).toBe(first <= one.now ? first : undefined);
          if (taken !== undefined) model.delete(taken);
        }
        expect(queue.next).toBe(Math.min(...model.values()));
      }
    }),
    { numRuns: 50 },
  );
});
