import { describe, expect, test } from 'vitest';
import { reachContract } from '../../test/contract/reach.ts';
import { ip } from '../../test/support/addresses.ts';
import { FakeReach } from './fake.ts';

const [neighbour, beyond, absent] = [ip('10.0.1.1'), ip('10.0.2.1'), ip('10.0.1.77')];
const [nowhere, own] = [ip('203.0.113.1'), ip('10.0.1.10')];

describe('the fake keeps the contract', () => {
  reachContract(() => {
    const reach = new FakeReach();
    reach.unreachable.add(nowhere);
    reach.local.add(own);
    return {
      ...{ reach, neighbour, beyond, absent, nowhere, own },
      send(address) {
        if (address === absent) reach.unreachable.add(absent);
      },
      loseNeighbour() {
        for (const lost of [neighbour, beyond]) reach.unreachable.add(lost);
      },
      returnNeighbour() {
        for (const found of [neighbour, beyond]) reach.unreachable.delete(found);
      },
      dispose: () => undefined,
    };
  });
});

test('a question can fail, and is kept', () => {
  const reach = new FakeReach();
  reach.failWith = () => 'ENOBUFS';
  expect(() => reach.canReach(own)).toThrow('find the route to 10.0.1.10: ENOBUFS');
  expect(reach.asked).toEqual([own]);
});
