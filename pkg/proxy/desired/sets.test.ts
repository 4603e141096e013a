import { expect, test } from 'vitest';
import { setDirections, setHeader, setIds, setName } from './sets.ts';

test('IPv6 names get a 6, and are cut to what the kernel holds', () => {
  expect(setName('clusterIp', 'IPv4')).toBe('KUBE-CLUSTER-IP');
  expect(setName('clusterIp', 'IPv6')).toBe('KUBE-6-CLUSTER-IP');
  expect(setName('loadBalancerSourceCidr', 'IPv6')).toBe('KUBE-6-LOAD-BALANCER-SOURCE-CID');
  expect(setName('nodePortLocalSctp', 'IPv6')).toBe('KUBE-6-NODE-PORT-LOCAL-SCTP-HAS');
});

test('the names of both families are all different', () => {
  const names = setIds.flatMap((id) => [setName(id, 'IPv4'), setName(id, 'IPv6')]);
  expect(new Set(names).size).toBe(34);
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
