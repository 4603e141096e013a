import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { realServerKey } from '../../ipvs/ipvs.ts';
import { CompactMap } from './compact-map.ts';
import { NamedGroups } from './named-groups.ts';
import { RealServerMap } from './real-server-map.ts';

// Maps that take little memory while they are small answer as ordinary ones do.

const steps = fc.array(
  fc.record({
    isSet: fc.constantFrom(true, true, true, false),
    key: fc.nat(24),
    value: fc.nat(3),
    port: fc.constantFrom(80, 80, 80, 80, 81, 82),
  }),
  { maxLength: 80 },
);

test('a compact map answers as a map', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const map = new CompactMap<number, number>();
      const model = new Map<number, number>();
      for (const { isSet, key, value } of all) {
        if (isSet) {
          map.set(key, value);
          model.set(key, value);
        } else expect(map.delete(key)).toBe(model.delete(key));
        expect([map.size, map.get(key)]).toEqual([model.size, model.get(key)]);
        expect([...map.keys()]).toEqual([...model.keys()]);
        expect([...map.values()]).toEqual([...model.values()]);
      }
    }),
  );
});

test('a map of real servers answers as a map by address and port', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const map = new RealServerMap<number>();
      const model = new Map<string, number>();
      for (const { isSet, key, value, port } of all) {
        const id = { address: ip(`10.0.0.${key}`), port };
        if (isSet) {
          map.set(id, value);
          model.set(realServerKey(id), value);
        } else expect(map.delete(id)).toBe(model.delete(realServerKey(id)));
        expect([map.size, map.get(id)]).toEqual([model.size, model.get(realServerKey(id))]);
        const visited = new Map<string, number>();
        map.forEach((item, one) => visited.set(realServerKey(one), item));
        expect(visited).toEqual(model);
        expect(new Map([...map].map(([one, item]) => [realServerKey(one), item]))).toEqual(model);
        const inOrder = (values: Iterable<number>) =>
          [...values].toSorted((one, other) => one - other);
        expect(inOrder(map.values())).toEqual(inOrder(model.values()));
      }
    }),
  );
});

test('groups of named things answer as maps of maps', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const groups = new NamedGroups<{ readonly name: string; readonly value: number }>();
      const model = new Map<string, Map<string, number>>();
      for (const { isSet, key, value, port } of all) {
        const group = String(port);
        const name = String(key % 4);
        const members = model.get(group) ?? new Map<string, number>();
        model.set(group, members);
        if (isSet) {
          groups.set(group, { name, value });
          members.set(name, value);
        } else {
          groups.delete(group, name);
          members.delete(name);
        }
        expect(groups.get(group, name)?.value).toBe(members.get(name));
        expect(groups.of(group).map((one) => [one.name, one.value])).toEqual([...members]);
      }
    }),
  );
});
