import { expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { rangeProblem } from './vip-ranges.ts';

const taken = {
  nodeIPs: [ip('192.168.0.10'), ip('fd00:192:168::10')],
  connected: [net('192.168.0.0/24'), net('fd00:192:168::/64'), net('172.17.0.0/16')],
  pods: [net('10.244.0.0/16')],
};

test.each([
  ['10.96.0.0/12', undefined],
  ['fd00:172:30::/112', undefined],
  ['192.168.0.0/28', 'contains 192.168.0.10, an address of this node'],
  [
    '192.168.0.128/25',
    'overlaps 192.168.0.0/24, a network that a device of this node is connected to',
  ],
  ['172.16.0.0/12', 'overlaps 172.17.0.0/16, a network that a device of this node is connected to'],
  ['fd00:192:168::/112', 'contains fd00:192:168::10, an address of this node'],
  ['10.244.3.0/24', 'overlaps 10.244.0.0/16, a network of pods'],
  ['10.0.0.0/8', 'overlaps 10.244.0.0/16, a network of pods'],
])('%s: %s', (range, problem) => {
  expect(rangeProblem(net(range), taken)).toBe(problem);
});
