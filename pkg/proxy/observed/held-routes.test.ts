import { expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { HeldRoutes } from './held-routes.ts';

const range = net('172.30.0.0/16');
const own = net('203.0.113.80/32');

function held(): HeldRoutes {
  const routes = new HeldRoutes();
  routes.recordAll([
    { network: range, source: undefined },
    { network: own, source: undefined },
  ]);
  return routes;
}

test('a VIP is reached by its own route, or by that of its range', () => {
  const routes = held();
  const reached = ['172.30.9.9', '203.0.113.80', '203.0.113.81', 'fd00::1'].map((text) =>
    routes.makeLocal(ip(text)),
  );
  expect(reached).toEqual([true, true, false, false]);
  expect([...routes.addresses()]).toEqual(['203.0.113.80']);
  expect([...routes.ranges.keys()]).toEqual(['172.30.0.0/16']);
});

test('after a write that failed a route is unknown, until it is written or read', () => {
  const routes = held();
  for (const network of [range, own]) routes.recordFailed(network);
  expect([routes.isUnknown(range), routes.coverInRange(ip('172.30.9.9'))]).toEqual([true, false]);
  expect(routes.makeLocal(own.address)).toBeUndefined();
  routes.record({ network: range, source: undefined });
  routes.recordDeleted(own);
  expect([routes.makeLocal(ip('172.30.9.9')), routes.makeLocal(own.address)]).toEqual([
    true,
    false,
  ]);
  routes.recordFailed(own);
  expect(routes.areNone).toBe(false);
  routes.recordAll([]);
  expect(routes.areNone).toBe(true);
});

test('one that was deleted covers nothing', () => {
  const routes = held();
  routes.recordDeleted(range);
  expect([routes.makeLocal(ip('172.30.9.9')), routes.ranges.size]).toEqual([false, 0]);
});
