import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ObjectName } from '../types.ts';
import { KnownNames } from './known-names.ts';

/** The same with plain sets, which cost more with more names. */
class PlainNames {
  readonly known = new Set<string>();
  readonly unconfirmed = new Set<string>();
  readonly gone = new Set<string>();
  seen = new Set<string>();
  isReading = false;

  startRead(): void {
    this.seen = new Set();
    this.isReading = true;
  }

  endRead(omitted: 'gone' | 'unconfirmed'): void {
    if (!this.isReading) return;
    for (const name of this.omitted()) this[omitted].add(name);
    if (omitted === 'gone') this.confirm();
    this.isReading = false;
  }

  confirm(): void {
    for (const name of this.unconfirmed) this.gone.add(name);
    this.unconfirmed.clear();
  }

  add(name: string): void {
    this.known.add(name);
    this.unconfirmed.delete(name);
    this.gone.delete(name);
    this.seen.add(name);
  }

  markGone(name: string): void {
    if (!this.known.has(name)) return;
    this.unconfirmed.delete(name);
    this.gone.add(name);
  }

  delete(name: string): void {
    for (const names of [this.known, this.unconfirmed, this.gone, this.seen]) names.delete(name);
  }

  omitted(): string[] {
    return [...this.known].filter((name) => !this.seen.has(name) && !this.gone.has(name));
  }
}

type Step =
  | { readonly do: 'add' | 'markGone' | 'delete'; readonly name: string }
  | { readonly do: 'startRead' | 'confirm' | 'endGone' | 'endUnconfirmed' };

const names = ['a/x', 'a/y', 'a/z', 'b/x', 'b/y', 'c/x'];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('add' as const), name: fc.constantFrom(...names) }),
  },
  fc.record({
    do: fc.constantFrom('markGone' as const, 'delete' as const),
    name: fc.constantFrom(...names),
  }),
  fc.record({
    do: fc.constantFrom(
      'startRead' as const,
      'confirm' as const,
      'endGone' as const,
      'endUnconfirmed' as const,
    ),
  }),
);

const parsed = (text: string): ObjectName => {
  const [namespace = '', name = ''] = text.split('/');
  return { namespace, name };
};

test('numbers of reads say the same as sets', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }), (steps) => {
      const real = new KnownNames();
      const plain = new PlainNames();
      for (const one of steps) {
        carryOut(one, { real, plain });
        expect(summary(real)).toEqual({
          known: names.filter((name) => plain.known.has(name)),
          unconfirmed: names.filter((name) => plain.unconfirmed.has(name)),
          gone: [...plain.gone].toSorted(),
          counts: [plain.known.size, plain.unconfirmed.size, plain.gone.size],
        });
        if (plain.isReading) {
          const omitted = plain.omitted();
          const newly = omitted.filter((name) => !plain.unconfirmed.has(name)).length;
          expect(real.omitted).toEqual({ count: omitted.length, newly });
          expect(names.filter((name) => real.isOmitted(parsed(name)))).toEqual(omitted.toSorted());
        }
      }
    }),
    { numRuns: 200 },
  );
});

describe('what is gone', () => {
  test('is reported in steps, each once, also when there is much that is not gone', () => {
    const known = new KnownNames();
    for (let index = 0; index < 30_000; index++) known.add(numbered(index));
    known.startRead();
    for (let index = 0; index < 30_000; index += 3) known.add(numbered(index));
    known.endRead('gone');
    const reported = new Set<string>();
    let longest = 0;
    while (known.gone > 0) {
      let count = 0;
      for (const name of known.someGone(500)) {
        count++;
        reported.add(name.name);
        known.delete(name);
      }
      longest = Math.max(longest, count);
    }
    expect([reported.size, longest, known.size]).toEqual([20_000, 500, 10_000]);
  });

  test('and cannot be reported is returned again, after the others', () => {
    const known = new KnownNames();
    for (let index = 0; index < 3; index++) known.add(numbered(index));
    known.startRead();
    known.endRead('gone');
    const reported: string[] = [];
    for (let round = 0; round < 3; round++)
      for (const name of known.someGone(500)) {
        reported.push(name.name);
        if (name.name !== 's0') known.delete(name);
        else break;
      }
    expect(reported).toEqual(['s0', 's1', 's2', 's0', 's0']);
  });
});

function carryOut(one: Step, { real, plain }: { real: KnownNames; plain: PlainNames }): void {
  switch (one.do) {
    case 'add':
    case 'markGone':
    case 'delete':
      real[one.do](parsed(one.name));
      plain[one.do](one.name);
      return;
    case 'startRead':
    case 'confirm':
      real[one.do]();
      plain[one.do]();
      return;
    case 'endGone':
    case 'endUnconfirmed': {
      // The tracker checks that an end has a beginning.
      if (!plain.isReading) return;
      const omitted = one.do === 'endGone' ? 'gone' : 'unconfirmed';
      real.endRead(omitted);
      plain.endRead(omitted);
    }
  }
}

function summary(real: KnownNames) {
  return {
    known: names.filter((name) => real.has(parsed(name))),
    unconfirmed: names.filter((name) => real.isUnconfirmed(parsed(name))),
    gone: [...real.someGone(100)].map(({ namespace, name }) => `${namespace}/${name}`).toSorted(),
    counts: [real.size, real.unconfirmed, real.gone],
  };
}

function numbered(index: number): ObjectName {
  return { namespace: 'shop', name: `s${index}` };
}
