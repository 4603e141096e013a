import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { owner } from '../../../test/support/objects.ts';
import { Claims } from './claims.ts';
import type { AddressKind, OwnedFrontEnd } from './footprint.ts';
import type { Owner } from './service.ts';

const virtualServer = 'TCP 172.30.0.1 80';

/** Only who wants it and what kind of address it has is looked at. */
function claim(by: Owner, addressKind: AddressKind = 'allocated'): OwnedFrontEnd {
  return { owner: by, addressKind } as OwnedFrontEnd;
}

const old = owner('shop/old', 1);
const young = owner('shop/young', 2);
const unknown = owner('a/unknown', 0);

describe('who gets a virtual server', () => {
  test.each<[string, OwnedFrontEnd, OwnedFrontEnd]>([
    ['the older', claim(old), claim(young)],
    ['one whose age is known', claim(young), claim(unknown)],
    ['of equally old ones the name that sorts first', claim(owner('a/x', 1)), claim(old)],
    ['of two unknown ones as well', claim(unknown), claim(owner('b/unknown', 0))],
    [
      'an allocated address before a load-balancer address, whatever the age',
      claim(young),
      claim(old, 'loadBalancer'),
    ],
    [
      'a load-balancer address before an external one',
      claim(young, 'loadBalancer'),
      claim(old, 'external'),
    ],
    [
      'an allocated address of unknown age before an external one',
      claim(unknown),
      claim(old, 'external'),
    ],
    ['of external addresses the older', claim(old, 'external'), claim(young, 'external')],
  ])('%s, in either order', (_, winner, loser) => {
    for (const order of [
      [winner, loser],
      [loser, winner],
    ]) {
      const claims = new Claims();
      for (const some of order) claims.enter(virtualServer, some);
      expect(claims.holder(virtualServer)).toBe(winner);
      expect(claims.conflictCount).toBe(1);
      expect(claims.takeConflicts()).toEqual([
        { virtualServer, winner: winner.owner.key, loser: loser.owner.key },
      ]);
    }
  });

  test('of a thousand is found whoever leaves', () => {
    const claims = new Claims();
    const all = Array.from({ length: 1_000 }, (_, index) =>
      claim(owner(`n/${index}`, ((index * 7919) % 1_000) + 1)),
    );
    for (const some of all) claims.enter(virtualServer, some);
    const byAge = all.toSorted((one, other) => one.owner.created - other.owner.created);
    for (const [index, some] of byAge.entries()) {
      expect([claims.holder(virtualServer), claims.conflictCount]).toEqual([some, 999 - index]);
      claims.withdraw(virtualServer, some);
    }
    expect([claims.has(virtualServer), claims.conflictCount]).toEqual([false, 0]);
  });
});

describe('a conflict', () => {
  test('is told when it begins, and again when it begins again', () => {
    const claims = new Claims();
    const conflict = { virtualServer, winner: old.key, loser: young.key };
    claims.enter(virtualServer, claim(old));
    const lost = claim(young);
    claims.enter(virtualServer, lost);
    expect(claims.takeConflicts()).toEqual([conflict]);
    claims.enter(virtualServer, claim(old));
    const again = claim(young);
    claims.enter(virtualServer, again);
    expect(claims.takeConflicts()).toEqual([]);
    claims.withdraw(virtualServer, again);
    claims.enter(virtualServer, claim(young));
    expect(claims.takeConflicts()).toEqual([conflict]);
  });

  test('that is over before anybody asks is not told', () => {
    const claims = new Claims();
    const lost = claim(young);
    claims.enter(virtualServer, claim(old));
    claims.enter(virtualServer, lost);
    claims.withdraw(virtualServer, lost);
    expect(claims.takeConflicts()).toEqual([]);
  });

  test('goes on when the winner changes, for all but the one that wins', () => {
    const claims = new Claims();
    const first = claim(old);
    claims.enter(virtualServer, first);
    claims.enter(virtualServer, claim(young));
    claims.enter(virtualServer, claim(unknown));
    expect(claims.takeConflicts().length).toBe(2);
    claims.withdraw(virtualServer, first);
    expect([claims.holder(virtualServer)?.owner, claims.takeConflicts()]).toEqual([young, []]);
  });

  test('begins for the one that loses what it held', () => {
    const claims = new Claims();
    claims.enter(virtualServer, claim(young));
    claims.enter(virtualServer, claim(old));
    expect(claims.takeConflicts()).toEqual([{ virtualServer, winner: old.key, loser: young.key }]);
  });

  test('is not had with oneself', () => {
    const claims = new Claims();
    claims.enter(virtualServer, claim(old, 'external'));
    const last = claim(old);
    claims.enter(virtualServer, last);
    expect([claims.takeConflicts(), claims.conflictCount]).toEqual([[], 0]);
    expect(claims.withdraw(virtualServer, last)).toBe(true);
  });
});

describe('how many claims a Service has lost', () => {
  test('is told of those of which it changed', () => {
    const claims = new Claims();
    const winner = claim(old);
    claims.enter(virtualServer, claim(young));
    expect(claims.takeLost()).toEqual([]);
    claims.enter(virtualServer, winner);
    expect(claims.takeLost()).toEqual([{ service: young.key, count: 1 }]);
    claims.enter(virtualServer, claim(young));
    expect(claims.takeLost().every(({ count }) => count === 1)).toBe(true);
    claims.withdraw(virtualServer, winner);
    expect(claims.takeLost()).toEqual([{ service: young.key, count: 0 }]);
  });

  test('is that of a count of all claims, whatever comes and goes', () => {
    const owners = [old, young, unknown, owner('shop/fourth', 3)];
    const kinds: readonly AddressKind[] = ['allocated', 'loadBalancer', 'external'];
    const virtualServers = ['one', 'two', 'three'];
    const step = fc.tuple(
      fc.constantFrom(...owners),
      fc.constantFrom(...virtualServers),
      fc.option(fc.constantFrom(...kinds), { nil: undefined }),
    );
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const claims = new Claims();
      const entered = new Map<string, OwnedFrontEnd>();
      const told = new Map<string, number>();
      for (const [by, virtualServer, kind] of steps) {
        const place = `${by.key} ${virtualServer}`;
        const present = entered.get(place);
        if (kind !== undefined) {
          const some = claim(by, kind);
          claims.enter(virtualServer, some);
          entered.set(place, some);
        } else if (present !== undefined) {
          claims.withdraw(virtualServer, present);
          entered.delete(place);
        }
        for (const { service, count } of claims.takeLost()) told.set(service, count);
        for (const { key } of owners) {
          const lost = virtualServers.filter(
            (one) => entered.has(`${key} ${one}`) && claims.holder(one)?.owner.key !== key,
          );
          expect(told.get(key) ?? 0).toBe(lost.length);
        }
      }
    });
    fc.assert(property, { numRuns: 200 });
  });
});
