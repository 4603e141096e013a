import { describe, expect, test } from 'vitest';
import { neighboursContract } from '../../test/contract/neighbours.ts';
import { ip } from '../../test/support/addresses.ts';
import { FakeNeighbours } from './fake.ts';

const neighbour = ip('10.0.1.1');
const beyond = ip('10.0.2.1');
const absent = ip('10.0.1.77');
const nowhere = ip('203.0.113.1');
const own = ip('10.0.1.10');

describe('the fake keeps the contract', () => {
  neighboursContract(() => {
    const neighbours = new FakeNeighbours();
    neighbours.unreachable.add(nowhere);
    neighbours.local.add(own);
    const route = { kind: 'device', device: 2, source: own } as const;
    neighbours.routes.set(neighbour, { ...route, gateway: undefined });
    neighbours.routes.set(beyond, { ...route, gateway: neighbour });
    return {
      neighbours,
      neighbour,
      beyond,
      absent,
      nowhere,
      own,
      device: 2,
      send(address) {
        if (address === absent) neighbours.unreachable.add(absent);
      },
      loseNeighbour() {
        for (const lost of [neighbour, beyond]) neighbours.unreachable.add(lost);
      },
      returnNeighbour() {
        for (const found of [neighbour, beyond]) neighbours.unreachable.delete(found);
      },
      dispose: () => undefined,
    };
  });
});

test('a question can fail, and is kept', () => {
  const neighbours = new FakeNeighbours();
  neighbours.failWith = () => 'ENOBUFS';
  expect(() => neighbours.canReach(own)).toThrow('find the route to 10.0.1.10: ENOBUFS');
  expect(neighbours.asked).toEqual([own]);
});
