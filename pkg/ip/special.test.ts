import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { specialAddress } from './special.ts';

test.each([
  ['0.0.0.0', 'unspecified'],
  ['0.0.0.1', undefined],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['128.0.0.1', undefined],
  ['12.7.0.1', undefined],
  ['169.254.0.1', 'link-local'],
  ['169.253.0.1', undefined],
  ['223.255.255.255', undefined],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', undefined],
  ['255.255.255.254', undefined],
  ['255.255.255.255', 'broadcast'],
  ['10.0.0.1', undefined],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::2', undefined],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', undefined],
  ['ff02::1', 'multicast'],
  ['ff::1', undefined],
  ['fd00::1', undefined],
  ['::ffff:127.0.0.1', 'loopback'],
])('%s is %s', (text, expected) => {
  expect(specialAddress(ip(text))).toBe(expected);
});
