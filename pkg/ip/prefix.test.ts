import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressBits, addressFromBytes, familyOf, parseAddress } from './address.ts';
import {
  contains,
  isSingle,
  overlap,
  parsePrefix,
  prefix,
  prefixFamily,
  printPrefix,
  single,
  splitPrefix,
} from './prefix.ts';

function network(text: string) {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a network: ${text}`);
  return parsed;
}

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

const anyAddress = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  .map(addressFromBytes);

describe('parsePrefix', () => {
  test.each([
    ['a network stays', '10.0.0.0/8', '10.0.0.0/8'],
    ['host bits are cleared', '10.1.2.3/8', '10.0.0.0/8'],
    ['inside a byte as well', '10.0.0.255/27', '10.0.0.224/27'],
    ['a single address', '10.0.0.7/32', '10.0.0.7/32'],
    ['everything', '203.0.113.9/0', '0.0.0.0/0'],
    ['leading zeros in the length', '10.0.0.0/08', '10.0.0.0/8'],
    ['an IPv6 network', '2001:DB8:1:2::9/64', '2001:db8:1:2::/64'],
    ['an IPv6 length inside a byte', '2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['a single IPv6 address', '::1/128', '::1/128'],
    ['every IPv6 address', 'fe80::1/0', '::/0'],
  ])('%s', (_, text, canonical) => {
    expect(printPrefix(network(text))).toBe(canonical);
  });

  test.each([
    ['an address', '10.0.0.0'],
    ['no length', '10.0.0.0/'],
    ['no address', '/8'],
    ['a length over 32', '10.0.0.0/33'],
    ['a length over 128', '::/129'],
    ['a length of four digits', '10.0.0.0/0008'],
    ['a negative length', '10.0.0.0/-1'],
    ['a mask', '10.0.0.0/255.0.0.0'],
    ['two slashes', '10.0.0.0/8/8'],
    ['a bad address', '10.0.0.256/8'],
    ['a space', '10.0.0.0/8 '],
    ['nothing', ''],
  ])('refuses %s', (_, text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

describe('contains', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.224/27', '10.0.0.255', true],
    ['10.0.0.224/27', '10.0.0.223', false],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '203.0.113.1', false],
    ['::/0', '2001:db8::1', true],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['10.0.0.7/32', '10.0.0.7', true],
    ['10.0.0.7/32', '10.0.0.6', false],
  ])('%s, %s: %s', (net, member, expected) => {
    expect(contains(network(net), address(member))).toBe(expected);
  });

  test('an address lies in each of its own networks, and its text parses back', () => {
    fc.assert(
      fc.property(anyAddress, fc.nat(128), (member, bits) => {
        const made = prefix(member, bits % (addressBits(familyOf(member)) + 1));
        expect(contains(made, member)).toBe(true);
        expect(prefixFamily(made)).toBe(familyOf(member));
        expect(parsePrefix(printPrefix(made))).toEqual(made);
      }),
    );
  });

  test('two addresses share a network exactly as long as their bits agree', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.nat(31), fc.nat(32), (value, flipped, length) => {
        const quad = (number: number) =>
          Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
        const one = addressFromBytes(quad(value));
        const other = addressFromBytes(quad(value ^ (1 << (31 - flipped))));
        expect(contains(prefix(one, length), other)).toBe(length <= flipped);
      }),
    );
  });
});

describe('the halves of a network', () => {
  test.each([
    ['0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1']],
    ['10.1.2.0/23', ['10.1.2.0/24', '10.1.3.0/24']],
    ['::/0', ['::/1', '8000::/1']],
  ])('of %s', (text, halves) => {
    expect(splitPrefix(network(text)).map(printPrefix)).toEqual(halves);
  });
  test('a single address has none', () => {
    expect(() => splitPrefix(network('10.0.0.1/32'))).toThrow('10.0.0.1/32 has no halves');
  });
});

test.each([
  ['10.0.0.0/8', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.0.0.0/8', true],
  ['10.0.0.0/16', '10.1.0.0/16', false],
  ['10.0.0.0/8', 'fd00::/8', false],
])('%s and %s have addresses in common: %s', (one, other, is) => {
  expect(overlap(network(one), network(other))).toBe(is);
});

test.each([
  ['10.0.0.1', '10.0.0.1/32'],
  ['fd00::1', 'fd00::1/128'],
])('the network of %s alone is %s', (text, printed) => {
  const alone = single(address(text));
  expect([printPrefix(alone), isSingle(alone)]).toEqual([printed, true]);
  expect(isSingle({ ...alone, length: 24 })).toBe(false);
});
