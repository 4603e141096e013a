import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressBits,
  addressBytes,
  addressFromBytes,
  familyOf,
  isIPv6LinkLocal,
  isLoopback,
  isUnspecified,
  parseAddress,
  printHostPort,
  unspecified,
} from './address.ts';

function address(text: string) {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

describe('parseAddress', () => {
  test.each([
    ['a dotted quad stays', '10.0.0.7', '10.0.0.7'],
    ['the highest quad', '255.255.255.255', '255.255.255.255'],
    ['leading zeros are decimal, never octal', '010.000.008.099', '10.0.8.99'],
    ['an IPv4-mapped address is its IPv4 address', '::ffff:10.0.0.7', '10.0.0.7'],
    ['so is one in hexadecimal', '0:0:0:0:0:FFFF:0a00:0007', '10.0.0.7'],
    ['nothing but zeros', '0:0:0:0:0:0:0:0', '::'],
    ['the shortest text', '::', '::'],
    ['loopback', '0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
    ['upper case is lowered', '2001:DB8::ABCD', '2001:db8::abcd'],
    ['leading zeros of a group go', '2001:0db8:0001:0000:0000:0000:0000:0001', '2001:db8:1::1'],
    ['one zero group is not shortened', '2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['even if the text shortened it', '2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['the longest run is shortened', '2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['the first of equal runs is shortened', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['a run at the start', '0:0:1:2:3:4:5:6', '::1:2:3:4:5:6'],
    ['a run at the end', '1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['a quad at the end of an IPv6 text', '64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['a quad after eight bytes of zeros is IPv6 unless mapped', '::10.0.0.7', '::a00:7'],
    ['a quad behind six groups', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ])('%s', (_, text, canonical) => {
    expect(parseAddress(text)).toBe(canonical);
  });

  test.each([
    ['nothing', ''],
    ['a name', 'localhost'],
    ['three octets', '10.0.0'],
    ['five octets', '10.0.0.1.2'],
    ['an octet over 255', '10.0.0.256'],
    ['an octet that would overflow', '10.0.0.4294967297'],
    ['an empty octet', '10..0.1'],
    ['an octet missing at the start', '.0.0.1'],
    ['an octet missing at the end', '10.0.0.'],
    ['a sign', '10.0.0.-1'],
    ['a space before', ' 10.0.0.1'],
    ['a line end behind', '10.0.0.1\n'],
    ['a hexadecimal octet', '0x0a.0.0.1'],
    ['digits that are not ASCII', '１０.0.0.1'],
    ['a CIDR', '10.0.0.0/8'],
    ['a port', '10.0.0.1:80'],
    ['a lone colon', ':'],
    ['three colons', ':::'],
    ['two shortenings', '1::2::3'],
    ['seven groups', '1:2:3:4:5:6:7'],
    ['nine groups', '1:2:3:4:5:6:7:8:9'],
    ['a shortening of nothing', '1:2:3:4::5:6:7:8'],
    ['five digits in a group', '12345::'],
    ['a letter that is no digit', '2001:db8::g'],
    ['a colon at the start', ':1:2:3:4:5:6:7'],
    ['a colon at the end', '1:2:3:4:5:6:7:'],
    ['a zone', 'fe80::1%eth0'],
    ['brackets', '[::1]'],
    ['a quad in the middle', '1:2:3:1.2.3.4:5:6:7'],
    ['a quad before the shortening', '1.2.3.4::'],
    ['a bad quad at the end', '::ffff:1.2.3.256'],
  ])('refuses %s', (_, text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe('bytes', () => {
  test('of an IPv4 address are four, in network order', () => {
    expect([...addressBytes(address('10.1.2.3'))]).toEqual([10, 1, 2, 3]);
  });

  test('of an IPv6 address are sixteen, in network order', () => {
    expect([...addressBytes(address('2001:db8::1:ff'))]).toEqual([
      0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff,
    ]);
  });

  test('of an IPv4-mapped address are those of an IPv6 address: only a text means IPv4', () => {
    const bytes = Uint8Array.from([...Array<number>(10).fill(0), 0xff, 0xff, 10, 96, 0, 1]);
    const made = addressFromBytes(bytes);
    expect([made, familyOf(made)]).toEqual(['::ffff:10.96.0.1', 'IPv6']);
    expect(addressBytes(made)).toEqual(bytes);
    expect(parseAddress(made)).toBe('10.96.0.1');
  });

  test.each([0, 3, 5, 15, 17])('%i of them are no address', (length) => {
    expect(() => addressFromBytes(new Uint8Array(length))).toThrow(RangeError);
  });

  test('there and back, every address keeps its text', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      // Mostly zeros: where shortening happens.
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((all) => Uint8Array.from(all)),
    );
    fc.assert(
      fc.property(bytes, (given) => {
        const made = addressFromBytes(given);
        expect(familyOf(made)).toBe(given.length === 16 ? 'IPv6' : 'IPv4');
        expect([...addressBytes(made)]).toEqual([...given]);
        const parsed = parseAddress(made);
        expect(parsed).toBe(
          made.startsWith('::ffff:') && made.includes('.') ? made.slice(7) : made,
        );
      }),
    );
  });

  test('the text is the one that the platform prints', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (given) => {
        const made = addressFromBytes(given);
        expect(new URL(`http://[${made}]/`).hostname).toBe(`[${made}]`);
      }),
    );
  });

  test('no text makes it throw', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.]{0,40}$/));
    fc.assert(
      fc.property(text, (given) => {
        expect(() => parseAddress(given)).not.toThrow();
      }),
    );
  });
});

describe('predicates', () => {
  test.each([
    ['10.0.0.1', 'IPv4', 32],
    ['2001:db8::1', 'IPv6', 128],
    ['::ffff:10.0.0.1', 'IPv4', 32],
  ] as const)('%s is %s with %i bits', (text, family, bits) => {
    expect(familyOf(address(text))).toBe(family);
    expect(addressBits(family)).toBe(bits);
  });

  test.each([
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['128.0.0.1', false],
    ['12.7.0.1', false],
    ['::1', true],
    ['::2', false],
    ['::127.0.0.1', false],
    ['::ffff:127.0.0.1', true],
  ])('isLoopback(%s) is %s', (text, expected) => {
    expect(isLoopback(address(text))).toBe(expected);
  });

  test.each([
    ['fe80::1', true],
    ['febf::1', true],
    ['fec0::1', false],
    ['fe7f::1', false],
    ['fe8::1', false],
    ['169.254.0.1', false],
  ])('isIPv6LinkLocal(%s) is %s', (text, expected) => {
    expect(isIPv6LinkLocal(address(text))).toBe(expected);
  });

  test('unspecified is all zeros', () => {
    expect([unspecified('IPv4'), unspecified('IPv6')].every(isUnspecified)).toBe(true);
    expect(isUnspecified(unspecified('IPv4').replace('0', '1') as never)).toBe(false);
    expect([...addressBytes(unspecified('IPv4'))]).toEqual(Array(4).fill(0));
    expect([...addressBytes(unspecified('IPv6'))]).toEqual(Array(16).fill(0));
  });

  test('a port stands behind brackets only where the address has colons', () => {
    expect(printHostPort(address('10.0.0.1'), 80)).toBe('10.0.0.1:80');
    expect(printHostPort(address('2001:db8::1'), 80)).toBe('[2001:db8::1]:80');
  });
});
