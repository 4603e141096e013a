import { expect, test } from 'vitest';
import { setDirections, setHeader, setIds, setName, setSize } from './sets.ts';

test('IPv6 names get a 6, and are cut to what the kernel holds', () => {
  expect(setName('clusterIp', 'IPv4')).toBe('KUBE-CLUSTER-IP');
  expect(setName('clusterIp', 'IPv6')).toBe('KUBE-6-CLUSTER-IP');
  expect(setName('loadBalancerSourceCidr', 'IPv6')).toBe('KUBE-6-LOAD-BALANCER-SOURCE-CID');
  expect(setName('nodePortLocalSctp', 'IPv6')).toBe('KUBE-6-NODE-PORT-LOCAL-SCTP-HAS');
});

test('the names of both families are all different', () => {
  const names = setIds.flatMap((id) => [setName(id, 'IPv4'), setName(id, 'IPv6')]);
  expect(new Set(names).size).toBe(2 * 18);
  expect(names.filter((name) => name.length > 31)).toEqual([]);
});

test('headers are those that upstream creates', () => {
  expect(setHeader('loopBack', 'IPv6')).toEqual({
    name: 'KUBE-6-LOOP-BACK',
    type: 'hash:ip,port,ip',
    family: 'IPv6',
    hashSize: 1024,
    maxElements: 65_536,
  });
  expect(setHeader('nodePortUdp', 'IPv6')).toEqual({
    name: 'KUBE-6-NODE-PORT-UDP',
    type: 'bitmap:port',
    firstPort: 0,
    lastPort: 65_535,
  });
});

test.each([
  ['ipvsIps', ['dst']],
  ['healthCheckNodePort', ['dst']],
  ['nodePortSctp', ['dst', 'dst']],
  ['loopBack', ['dst', 'dst', 'src']],
  ['loadBalancerSourceCidr', ['dst', 'dst', 'src']],
] as const)('%s is matched with %j', (id, directions) => {
  expect(setDirections(id)).toEqual(directions);
});

test.each([
  ['one that fits stays', { needed: 65_536, size: 65_536 }, 65_536],
  ['one that does not fit is twice as large', { needed: 65_537, size: 65_536 }, 131_072],
  ['and again, until it fits', { needed: 300_000, size: 131_072 }, 524_288],
  ['but not beyond a limit', { needed: 5_000_000, size: 65_536 }, 1_048_576],
  ['one at the limit stays there', { needed: 5_000_000, size: 1_048_576 }, 1_048_576],
  ['one that has grown stays while it is needed', { needed: 65_000, size: 131_072 }, 131_072],
  ['and goes back when it is not', { needed: 49_152, size: 131_072 }, 65_536],
  ['another size is somebody else’s', { needed: 10, size: 100_000 }, 65_536],
  ['whatever it needs', { needed: 70_000, size: 100_000 }, 131_072],
  ['and so is a smaller one', { needed: 10, size: 1_024 }, 65_536],
])('of sizes, %s', (_, given, expected) => {
  expect(setSize(given)).toBe(expected);
});
