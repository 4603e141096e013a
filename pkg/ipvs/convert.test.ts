import { expect, test } from 'vitest';
import { decode, encode, u32 } from '../wire/codec.ts';
import { DecodeError } from '../wire/reader.ts';
import { realServerOf, serviceOf, virtualServerOf } from './convert.ts';
import { noPrefix, noStatistics } from './ipvs.ts';
import { type DestStatus, type ServiceStatus, serviceStatus } from './schema.ts';

const mapped = Uint8Array.from([...Array<number>(10).fill(0), 0xff, 0xff, 10, 96, 0, 1]);
const ipv4 = Uint8Array.from([172, 30, 0, 1, ...Array<number>(12).fill(0)]);

const service: ServiceStatus = {
  family: 2,
  protocol: 6,
  address: ipv4,
  port: 443,
  scheduler: 'rr',
  timeout: 0,
  flags: { value: 0, mask: 0 },
  netmask: Uint8Array.of(255, 255, 255, 255),
  persistenceEngine: undefined,
  statistics: noStatistics,
};
const dest: DestStatus = {
  address: ipv4,
  port: 80,
  family: 2,
  forwarding: 0,
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  activeConnections: 0,
  inactiveConnections: 0,
  persistentConnections: 0,
  statistics: noStatistics,
};

test('an IPv4-mapped IPv6 virtual server is not that of the IPv4 address, and goes back as it came', () => {
  const found = virtualServerOf({
    ...service,
    family: 10,
    address: mapped,
    netmask: encode(u32, 128),
  });
  expect(found).toMatchObject({ address: '::ffff:10.96.0.1', prefixLength: 128 });
  if (found === undefined) throw new Error('no virtual server');
  expect(serviceOf(found)).toMatchObject({ family: 10, address: mapped });
});

test.each([
  ['255.255.255.255', 32],
  ['255.255.240.0', 20],
  ['128.0.0.0', 1],
  ['0.0.0.0', 0],
  ['255.0.255.0', noPrefix],
  ['0.0.0.255', noPrefix],
])('the IPv4 mask %s has the length %i', (mask, length) => {
  const netmask = Uint8Array.from(mask.split('.').map(Number));
  expect(virtualServerOf({ ...service, netmask })?.prefixLength).toBe(length);
});

test.each<[string, Partial<ServiceStatus>, string]>([
  ['an IPv6 prefix of 129', { family: 10, netmask: encode(u32, 129) }, 'no prefix length: 129'],
  ['a family of its own', { family: 3 }, 'no address family: 3'],
])('%s is no answer', (_, part, message) => {
  const read = () => virtualServerOf({ ...service, ...part });
  expect(read).toThrow(DecodeError);
  expect(read).toThrow(message);
});

test.each([3, 4, 15, 17])('a service with %i bytes of address is no answer', (length) => {
  const bytes = encode(serviceStatus, service);
  const at = bytes.findIndex((_, index) =>
    ipv4.every((byte, more) => bytes[index + more] === byte),
  );
  const short = Uint8Array.from([
    ...bytes.subarray(0, at - 4),
    ...encode(u32, length + 4 + 3 * 65_536),
    ...new Uint8Array((length + 3) & ~3),
    ...bytes.subarray(at + 16),
  ]);
  expect(() => decode(serviceStatus, short)).toThrow(
    `IPVS_SVC_ATTR.address: ${length} bytes, not 16`,
  );
});

test('how a real server is reached is one of five ways, or no answer', () => {
  const ways = [0, 1, 2, 3, 4].map((way) => realServerOf({ ...dest, forwarding: way | 0x100 }, 2));
  expect(ways.map(({ forwarding }) => forwarding)).toEqual([
    ...['masquerade', 'local', 'tunnel', 'direct', 'bypass'],
  ]);
  expect(() => realServerOf({ ...dest, forwarding: 5 }, 2)).toThrow(DecodeError);
});
