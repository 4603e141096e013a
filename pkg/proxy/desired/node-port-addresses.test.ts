import { describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import {
  healthCheckAddresses,
  type NodePortNetwork,
  type NodePortPlaces,
  nodePortAddresses,
} from './node-port-addresses.ts';

const four = ip('192.168.0.10');
const second = ip('10.9.0.1');
const six = ip('fd00:192:168::10');
const everything = [net('0.0.0.0/0'), net('::/0')];
const localhost = [net('127.0.0.0/8'), net('::1/128')];

function places(over: Partial<NodePortPlaces>): NodePortPlaces {
  return {
    networks: [],
    families: ['IPv4', 'IPv6'],
    nodeIPs: [four, six],
    nodeAddresses: [four, second, six],
    ...over,
  };
}

describe('node ports', () => {
  test.each<[string, readonly NodePortNetwork[], Partial<NodePortPlaces>, readonly string[]]>([
    ['are everywhere unless something is said', [], {}, [four, second, six]],
    ['are everywhere with the networks of all addresses', everything, {}, [four, second, six]],
    [
      'are in a network, and of the other family everywhere',
      [net('10.0.0.0/8')],
      {},
      [second, six],
    ],
    [
      'are in any of several networks',
      [net('10.0.0.0/8'), net('192.168.0.0/16'), net('fd00::/8')],
      {},
      [four, second, six],
    ],
    [
      'are nowhere in a family whose networks have no address',
      [net('172.16.0.0/12'), net('2001:db8::/32')],
      {},
      [],
    ],
    ['are on the primary addresses of both families', ['primary'], {}, [four, six]],
    [
      'are on the primary address of the one family that has one',
      ['primary'],
      { nodeIPs: [four, ip('::1')] },
      [four, six],
    ],
    [
      'are everywhere while no primary address is known',
      ['primary'],
      { nodeIPs: [ip('127.0.0.1'), ip('::1')] },
      [four, second, six],
    ],
    [
      'follow the networks alone while no primary address is known',
      ['primary', net('10.0.0.0/8')],
      { nodeIPs: [ip('127.0.0.1'), ip('::1')] },
      [second, six],
    ],
    [
      'are on the primary address and in networks',
      ['primary', net('10.0.0.0/8')],
      {},
      [four, second, six],
    ],
    [
      'are on the primary address whichever family comes first',
      ['primary'],
      { nodeIPs: [six, second] },
      [second, six],
    ],
    ['are nowhere for localhost alone', localhost, {}, []],
    ['are where the other words say beside localhost', ['primary', ...localhost], {}, [four, six]],
    ['are in served families only', [], { families: ['IPv6'] }, [six]],
  ])('%s', (_, networks, over, expected) => {
    expect(nodePortAddresses(places({ networks, ...over }))).toEqual(expected);
  });
});

describe('health-check node ports listen', () => {
  test.each<[string, readonly NodePortNetwork[], Partial<NodePortPlaces>, readonly string[]]>([
    ['on every address with one socket', [], {}, ['::']],
    ['on every address for the networks of all', everything, {}, ['::']],
    [
      'on every address where one family is limited to all and the other not at all',
      [net('0.0.0.0/0')],
      {},
      ['::'],
    ],
    ['on loopback where it is named', localhost, {}, ['127.0.0.1', '::1']],
    [
      'on the addresses in networks, and all of the family without any',
      [net('10.0.0.0/8')],
      {},
      [second, '::1', six],
    ],
    ['on the primary addresses', ['primary'], {}, [four, six]],
    [
      'on nothing where no address is in the networks',
      [net('172.16.0.0/12'), net('2001:db8::/32')],
      {},
      [],
    ],
    ['in served families only', ['primary'], { families: ['IPv4'] }, [four]],
  ])('%s', (_, networks, over, expected) => {
    expect(healthCheckAddresses(places({ networks, ...over }))).toEqual(expected);
  });
});
