import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FirstKeys } from './first-keys.ts';

test('the first texts after one are those of the sorted list', () => {
  const key = fc.string({ maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(key),
      fc.integer({ min: 1, max: 9 }),
      fc.option(key, { nil: undefined }),
      (all, limit, after) => {
        const first = new FirstKeys({ limit, after });
        for (const one of all) if (first.takes(one)) first.add(one);
        const sorted = [...new Set(all)]
          .filter((one) => after === undefined || one > after)
          .toSorted((one, other) => (one < other ? -1 : 1));
        expect(first.keys).toEqual(sorted.slice(0, limit));
        expect(first.hasMore).toBe(sorted.length > limit);
      },
    ),
  );
});
