import { expect, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults, type Settings } from '../../pkg/config/fields.ts';
import type { Family } from '../../pkg/ip/address.ts';
import { familyNotices } from './family-notices.ts';

const both: readonly Family[] = ['IPv4', 'IPv6'];
const ofPods = 'fd00:10::/32';

/** The notices as lines, or the error. */
function reported(settings: Partial<Settings>, served: readonly Family[]): readonly string[] {
  try {
    const config = effective({ ...defaults, ...settings }, 'node-1');
    return familyNotices(config, served).map(
      ({ severity, message, details }) => `${severity} ${message} ${JSON.stringify(details)}`,
    );
  } catch (error) {
    return [String(error)];
  }
}

const warning = (option: string, details: object) => [
  `warn ${option} has only addresses of a family that this node does not serve ${JSON.stringify(details)}`,
];
const fatal = (value: string, family: Family) => [
  `Error: clusterCIDR: Invalid value: "${value}": this node serves ${family} only, and detect-local-mode ClusterCIDR needs a network of it`,
];

test.each<[string, Partial<Settings>, readonly Family[], readonly string[]]>([
  ['defaults on IPv4', {}, ['IPv4'], []],
  [
    'the default metrics address on IPv6',
    {},
    ['IPv6'],
    warning('metricsBindAddress', { serves: 'IPv6', metricsBindAddress: '127.0.0.1:10249' }),
  ],
  ['pod networks of the family', { clusterCIDR: '10.0.0.0/8' }, ['IPv4'], []],
  ['pod networks of both', { clusterCIDR: `${ofPods},10.0.0.0/8` }, ['IPv4'], []],
  ['pod networks of the other family', { clusterCIDR: ofPods }, ['IPv4'], fatal(ofPods, 'IPv4')],
  [
    'pod networks of the other family, IPv4',
    { clusterCIDR: ' 10.0.0.0/8 ', metricsBindAddress: '[::1]:10249' },
    ['IPv6'],
    fatal(' 10.0.0.0/8 ', 'IPv6'),
  ],
  ['pod networks of one family of two', { clusterCIDR: ofPods }, both, []],
  [
    'pod networks that are not used',
    { clusterCIDR: ofPods, detectLocalMode: 'NodeCIDR' },
    ['IPv4'],
    warning('clusterCIDR', { serves: 'IPv4', clusterCIDR: ofPods }),
  ],
  [
    'pod networks that are not used, and one is none',
    { clusterCIDR: `${ofPods},x`, detectLocalMode: 'NodeCIDR' },
    ['IPv4'],
    [],
  ],
  [
    'excluded networks',
    { 'ipvs.excludeCIDRs': ['fd00::/8', '2001:db8::/32'] },
    ['IPv4'],
    warning('ipvs.excludeCIDRs', {
      serves: 'IPv4',
      'ipvs.excludeCIDRs': 'fd00::/8,2001:db8::/32',
    }),
  ],
  ['excluded networks of both', { 'ipvs.excludeCIDRs': ['fd00::/8', '10.9.0.0/16'] }, ['IPv4'], []],
  ['excluded networks of one family of two', { 'ipvs.excludeCIDRs': ['fd00::/8'] }, both, []],
  [
    'the address of the health server',
    { healthzBindAddress: '[::1]:10256' },
    ['IPv4'],
    warning('healthzBindAddress', { serves: 'IPv4', healthzBindAddress: '[::1]:10256' }),
  ],
  ['every address of the health server', { healthzBindAddress: '[::]:10256' }, ['IPv4'], []],
  ['no health server', { healthzBindAddress: '' }, ['IPv4'], []],
])('of %s', (_, settings, served, expected) =>
  expect(reported(settings, served)).toEqual(expected),
);
