import { expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { type Route, routeByTables, type TableRoute } from './neighbours.ts';

const via = (device: number): Route => ({
  kind: 'device',
  device,
  gateway: undefined,
  source: undefined,
});

function row(table: TableRoute['table'], network: string, over: Partial<TableRoute>): TableRoute {
  return { table, network: net(network), priority: 0, route: via(1), ...over };
}

const routes = [
  row('default', '203.0.113.0/24', { route: via(9) }),
  row('main', '0.0.0.0/0', { route: via(2) }),
  row('main', '10.0.0.0/8', { route: via(3), priority: 200 }),
  row('main', '10.0.0.0/8', { route: via(4), priority: 100 }),
  row('main', '10.0.1.0/24', { route: { kind: 'none' } }),
  row('main', '172.30.0.1/32', { route: via(5) }),
  row('local', '172.30.0.0/16', { route: { kind: 'local' } }),
];

test.each([
  ['the longest network', '10.0.1.7', { kind: 'none' }],
  ['of equals that of the lowest priority', '10.0.2.7', via(4)],
  ['the first table that has any', '172.30.0.1', { kind: 'local' }],
  ['main before default', '203.0.113.7', via(2)],
  ['no route of the other family', '2001:db8::1', { kind: 'none' }],
])('the route to an address is that of %s', (_, address, expected) => {
  expect(routeByTables(routes, ip(address))).toEqual(expected);
});
