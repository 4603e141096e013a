import { expect, test } from 'vitest';
import type { Change } from '../../pkg/kube/types.ts';
import { ip } from '../../test/support/addresses.ts';
import { withBindAddress } from './node-address.ts';

function node(...addresses: readonly string[]): Change {
  const object = {
    name: 'node-1',
    zone: 'a',
    addresses: addresses.map(ip),
    podCIDRs: [],
    isEligible: true,
  };
  return { type: 'set', kind: 'Node', object, problems: [] };
}

const own = ['192.168.0.5', '192.168.0.6', 'fd00:192:168::5'];

test.each([
  ['0.0.0.0', own],
  ['::', own],
  ['192.168.0.6', ['192.168.0.6', '192.168.0.5', 'fd00:192:168::5']],
  ['192.168.0.9', ['192.168.0.9', ...own]],
  ['fd00:192:168::9', ['fd00:192:168::9', ...own]],
])('bound to %s the node has %j', (bindAddress, expected) => {
  expect(withBindAddress(ip(bindAddress))(node(...own))).toEqual(node(...expected));
});

test('every other change is passed on as it is', () => {
  const change: Change = { type: 'synced', kind: 'Node' };
  expect(withBindAddress(ip('192.168.0.9'))(change)).toBe(change);
});
