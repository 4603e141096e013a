import { expect, test } from 'vitest';
import { parseAddress } from '../ip/address.ts';
import { DecodeError } from '../wire/reader.ts';
import { fromEntryData } from './convert.ts';

const ip2 = parseAddress('203.0.113.0');

test.each([
  ['a network as long as its address', 32, '203.0.113.0'],
  ['a network that is shorter', 24, '203.0.113.0'],
])('%s is one', (_, prefixLength2, address) => {
  const entry = fromEntryData('hash:ip,port,net', {
    ip: ip2,
    port: 80,
    protocol: 6,
    ip2,
    prefixLength2,
  });
  expect(entry).toMatchObject({ net: { address, length: prefixLength2 } });
});

test('a network that is longer than its address is no answer', () => {
  const data = { ip: ip2, port: 80, protocol: 6, ip2, prefixLength2: 33 };
  expect(() => fromEntryData('hash:ip,port,net', data)).toThrow(DecodeError);
});
