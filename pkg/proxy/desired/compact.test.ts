import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { families } from '../../ip/address.ts';
import { protocols } from '../../ip/protocol.ts';
import { realServerKey } from '../../ipvs/ipvs.ts';
import { CompactMap } from './compact-map.ts';
import { Groups } from './groups.ts';
import { PortMap } from './port-map.ts';
import type { PortName } from './port-name.ts';
import { RealServerMap } from './real-server-map.ts';

// Maps that take little memory while they are small answer as ordinary ones do.

function inOrder(values: Iterable<number>): readonly number[] {
  return [...values].toSorted((one, other) => one - other);
}

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
        expect(inOrder(map.values())).toEqual(inOrder(model.values()));
      }
    }),
  );
});

/** A port for each number, of all families and protocols. */
function portOf(number: number): PortName {
  const family = families[number % 2] ?? 'IPv4';
  const protocol = protocols[number % 3] ?? 'TCP';
  return { family, protocol, name: `p${Math.floor(number / 6)}` };
}

test('a map of ports answers as a map by family, protocol and name', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const map = new PortMap<number>();
      const model = new Map<number, number>();
      for (const { isSet, key, value } of all) {
        if (isSet) {
          map.set(portOf(key), value);
          model.set(key, value);
        } else {
          map.delete(portOf(key));
          model.delete(key);
        }
        expect([map.size, map.get(portOf(key))]).toEqual([model.size, model.get(key)]);
        expect(inOrder(map.values())).toEqual(inOrder(model.values()));
      }
    }),
  );
});

test('groups answer as maps of maps', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const groups = new Groups<string, { readonly name: string; readonly value: number }>({
        several: CompactMap,
        isKeyOf: (name, one) => one.name === name,
        keyOf: ({ name }) => name,
      });
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
