import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { Mirror } from './mirror.ts';

test('the addresses of the node are another list only if others are read', () => {
  const mirror = new Mirror();
  const one = ip('192.168.0.10');
  const other = ip('192.168.0.11');
  mirror.recordNodeAddresses(new Set([one, other]));
  const { nodeAddresses } = mirror;
  mirror.recordNodeAddresses(new Set([one, other]));
  expect(mirror.nodeAddresses).toBe(nodeAddresses);
  mirror.recordNodeAddresses(new Set([one]));
  expect(mirror.nodeAddresses).toEqual([one]);
  mirror.recordNodeAddresses(new Set([other]));
  expect(mirror.nodeAddresses).toEqual([other]);
});
