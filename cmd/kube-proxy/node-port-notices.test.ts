import { expect, test } from 'vitest';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { Family } from '../../pkg/ip/address.ts';
import { net } from '../../test/support/addresses.ts';
import { nodePortNotices } from './node-port-notices.ts';

const both: readonly Family[] = ['IPv4', 'IPv6'];
const localhost = [net('127.0.0.0/8'), net('::1/128')];

type Networks = ProxyConfig['nodePortAddresses'];

test.each<[string, Networks, readonly Family[], readonly string[]]>([
  [
    'nothing',
    [],
    both,
    [
      'nodePortAddresses is not set: node ports are served on all addresses of the node; "primary" limits them to the node IPs',
    ],
  ],
  ['primary', ['primary'], both, []],
  ['networks of both families', [net('192.168.0.0/16'), net('fd00::/8')], both, []],
  ['all addresses, by name', [net('0.0.0.0/0'), net('::/0')], both, []],
  [
    'networks of one family of two',
    [net('192.168.0.0/16')],
    both,
    [
      'nodePortAddresses has no network of a family: its node ports are served on all addresses {"family":"IPv6"}',
    ],
  ],
  ['networks of the only family', [net('192.168.0.0/16')], ['IPv4'], []],
  ['a network of one family beside primary', ['primary', net('192.168.0.0/16')], both, []],
  [
    'networks of a family that is not served',
    [net('192.168.0.0/16'), net('fd00::/8'), net('2001:db8::/32')],
    ['IPv4'],
    [
      'nodePortAddresses has networks of a family that this node does not serve {"family":"IPv6","networks":"fd00::/8, 2001:db8::/32"}',
    ],
  ],
  [
    'networks of another family alone',
    [net('fd00::/8')],
    ['IPv4'],
    [
      'nodePortAddresses has no network of a family: its node ports are served on all addresses {"family":"IPv4"}',
      'nodePortAddresses has networks of a family that this node does not serve {"family":"IPv6","networks":"fd00::/8"}',
    ],
  ],
  [
    'localhost',
    [...localhost, 'primary'],
    both,
    [
      'nodePortAddresses has loopback networks, where IPVS serves no node ports {"networks":"127.0.0.0/8, ::1/128"}',
    ],
  ],
])('of %s', (_, nodePortAddresses, served, expected) => {
  const lines = nodePortNotices({ nodePortAddresses }, served).map(({ message, details }) =>
    details === undefined ? message : `${message} ${JSON.stringify(details)}`,
  );
  expect(lines).toEqual(expected);
});
