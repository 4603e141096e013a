import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { detectNodeIPs } from './node-ips.ts';

const four = '192.168.0.10';
const second = '192.168.0.11';
const six = 'fd00:192:168::10';

test.each<[string, readonly string[], readonly string[]]>([
  // --bind-address, the Node's addresses, primary and other node IP
  ['0.0.0.0', [], ['127.0.0.1', '::1']],
  ['::', [], ['127.0.0.1', '::1']],
  ['0.0.0.0', [four, second], [four, '::1']],
  ['0.0.0.0', [four, second, six], [four, six]],
  ['0.0.0.0', [six, four, second], [six, four]],
  ['0.0.0.0', [six], [six, '127.0.0.1']],
  ['::', [four, six], [four, six]],
  ['192.168.0.99', [], ['192.168.0.99', '::1']],
  ['192.168.0.99', [six, four], ['192.168.0.99', six]],
  ['fd00:192:168::99', [four, six], ['fd00:192:168::99', four]],
  ['fd00:192:168::99', [six], ['fd00:192:168::99', '127.0.0.1']],
  ['127.0.0.1', [four, six], ['127.0.0.1', six]],
])('bound to %s with the Node addresses %j, the node IPs are %j', (bindAddress, addresses, ips) => {
  const found = detectNodeIPs({ bindAddress: ip(bindAddress), addresses: addresses.map(ip) });
  expect(found).toEqual(ips);
});
