import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endpoint } from '../../../test/support/objects.ts';
import { realServerKey } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { Endpoint } from '../../kube/types.ts';
import { PortEndpoints } from './endpoint.ts';
import { EndpointTable } from './endpoint-table.ts';

const node = { nodeName: 'here', zone: '' };

/** Two records for each of some addresses, of which the first is the one that counts. */
const records = Array.from({ length: 24 }, (_, index) => [
  endpoint(`10.0.0.${index}`, { podUid: packUid('a') }),
  endpoint(`10.0.0.${index}`, { podUid: packUid('b') }),
]).flat();

/** Everything that can be asked of the endpoints of a port. */
function contents(endpoints: PortEndpoints | EndpointTable) {
  const all: (readonly [string, Endpoint])[] = [];
  endpoints.forEach((one, id) => all.push([realServerKey(id), one]));
  const alone: Endpoint[] = [];
  endpoints.forEachEndpoint((one) => alone.push(one));
  const found = records.flatMap(({ address }) =>
    [80, 81].map((port) => endpoints.get({ address, port })),
  );
  return { size: endpoints.size, all, alone, found };
}

const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'remove'),
  record: fc.constantFrom(...records),
  // Nearly always all have one port.
  port: fc.constantFrom(80, 80, 80, 80, 80, 80, 80, 81),
});

test('a list of few and a table of many say the same, whatever comes and goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const few = new PortEndpoints(node);
      const many = new EndpointTable(node);
      for (const { kind, record, port } of steps) {
        few[kind](port, record);
        many[kind](port, record);
        expect(contents(few)).toEqual(contents(many));
      }
    }),
  );
});

test.each([
  ['few with an address each', records.filter((_, index) => index % 2 === 0).slice(0, 16), true],
  ['two with one address', records.slice(0, 2), false],
  ['more than a few', records.filter((_, index) => index % 2 === 0).slice(0, 17), false],
])('a slice is taken in at once if it has %s', (_, endpoints, isTaken) => {
  const few = new PortEndpoints(node);
  expect(few.addAll(80, endpoints)).toBe(isTaken);
  expect(few.size).toBe(isTaken ? endpoints.length : 0);
  expect(few.get({ address: endpoints[0]?.address as never, port: 80 })).toBe(
    isTaken ? endpoints[0] : undefined,
  );
});

test('the list of a slice that was taken in is never changed', () => {
  const few = new PortEndpoints(node);
  const slice = records.slice(0, 1);
  few.addAll(80, slice);
  few.add(80, records[2] as Endpoint);
  few.remove(80, records[0] as Endpoint);
  expect(slice).toEqual(records.slice(0, 1));
  expect(few.size).toBe(1);
});

test('one record with two port numbers is two endpoints', () => {
  const few = new PortEndpoints(node);
  const [record] = records;
  if (record === undefined) throw new Error('no record');
  for (const port of [80, 81, 81]) few.add(port, record);
  const { address } = record;
  expect(few.size).toBe(2);
  expect([80, 81].map((port) => few.get({ address, port }))).toEqual([record, record]);
});
