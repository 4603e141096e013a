import { expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import type { HeldVirtualServer } from './kernel.ts';
import type { WantedVirtualServer } from './shop.ts';
import { differences, printRealServers } from './virtual-servers.ts';

const wanted: WantedVirtualServer = {
  service: 'shop/cart',
  portName: 'http',
  protocol: 'TCP',
  address: ip('172.30.0.2'),
  port: 80,
  realServers: ['10.0.1.2:8080', '10.0.1.1:8080'],
};
const key = 'TCP 172.30.0.2:80';

function held(weights: Readonly<Record<string, number>>): [string, HeldVirtualServer] {
  const virtualServer = { scheduler: 'rr', persistence: undefined };
  return [key, { ...virtualServer, weights: new Map(Object.entries(weights)) }];
}

test.each([
  {
    what: 'the same back ends in another order, and one that drains',
    holds: [held({ '10.0.1.1:8080': 1, '10.0.1.2:8080': 1, '10.0.1.3:8080': 0 })],
    says: [],
  },
  { what: 'nothing', holds: [], says: [`${key} is missing`] },
  {
    what: 'one that drains in place of one that serves',
    holds: [held({ '10.0.1.1:8080': 1, '10.0.1.2:8080': 0 })],
    says: [`${key} has 10.0.1.1:8080, not 10.0.1.2:8080 10.0.1.1:8080`],
  },
  {
    what: 'a server too many',
    holds: [
      held({ '10.0.1.1:8080': 1, '10.0.1.2:8080': 1 }),
      ['TCP 172.30.0.99:80', held({})[1]] as const,
    ],
    says: ['TCP 172.30.0.99:80 is not asked for'],
  },
])('the kernel holds $what', ({ holds, says }) => {
  expect(differences([wanted], new Map(holds))).toEqual(says);
});

test('back ends are told by their port and the ends of their names', () => {
  const names = new Map([
    ['10.0.1.1', 'cart-7nsxs'],
    ['fd00:10::1', 'cart-h57kd'],
  ]);
  const realServers = ['10.0.1.1:8080', '[fd00:10::1]:8080', '192.168.0.2:8080'];
  expect(printRealServers(realServers, names)).toBe(':8080 7nsxs h57kd 192.168.0.2');
  expect(printRealServers([], names)).toBe('(none)');
});
