import { describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import { AddressReplacer, staysInPlace } from './addresses.ts';

const replacer = new AddressReplacer(new Uint8Array(32).fill(7));

describe('addresses stay that every node has', () => {
  test.each([
    ...[
      '127.0.0.1',
      '127.1.2.3',
      '0.0.0.0',
      '255.255.255.255',
      '224.0.0.18',
      '::',
      '::1',
      'ff02::1',
    ],
  ])('%s', (address) => {
    expect(replacer.address(ip(address))).toBe(address);
  });
});

describe('special networks stay around their addresses', () => {
  test.each([
    '169.254.0.0/16',
    'fe80::/64',
    'ff00::/8',
    '0.0.0.0/0',
    '0.0.0.0/1',
    '128.0.0.0/1',
    '::/0',
  ])('%s', (network) => {
    expect(replacer.network(net(network))).toEqual(net(network));
  });
});

test('a link-local address is replaced by another one', () => {
  const replaced = replacer.address(ip('fe80::42:acff:fe11:2'));
  expect(replaced).toMatch(/^fe80::[^:]/);
  expect(replaced).not.toBe('fe80::42:acff:fe11:2');
});

test('an IPv4 address inside of an IPv6 one is replaced as by itself', () => {
  const mapped = `::ffff:10.0.0.7` as Parameters<typeof replacer.address>[0];
  expect(replacer.address(mapped)).toBe(`::ffff:${replacer.address(ip('10.0.0.7'))}`);
});

test('another key, other addresses', () => {
  const other = new AddressReplacer(new Uint8Array(32).fill(8));
  expect(other.address(ip('10.0.0.7'))).not.toBe(replacer.address(ip('10.0.0.7')));
});

test.each([
  ['0.0.0.0/0', true],
  ['::/0', true],
  ['127.0.0.1/32', true],
  ['8.0.0.0/5', true],
  ['10.0.0.0/8', false],
  ['10.0.0.7/32', false],
  ['169.254.0.0/16', true],
  ['169.254.1.0/24', false],
  ['::1/128', true],
  ['fe80::/10', true],
  ['fe80::1/128', false],
  ['fd00::/8', false],
])('that %s stays whatever the key is %j', (text, expected) => {
  expect(staysInPlace(net(text))).toBe(expected);
  const keys = Array.from({ length: 64 }, (_, index) => new Uint8Array(32).fill(index));
  const replaced = keys.map((key) => new AddressReplacer(key).network(net(text)));
  expect(replaced.every(({ address }) => address === net(text).address)).toBe(expected);
});
