import type { Entry, HashType, SetHeader } from '../../pkg/ipset/ipset.ts';
import { ip, net } from '../support/addresses.ts';

/** The set of most tests. */
export const name = 'KUBE-TEST';

/** A set of upstream's size. */
export function hash(
  type: HashType,
  options: {
    name?: string;
    family?: 'IPv4' | 'IPv6';
    maxElements?: number;
    hashSize?: number;
  } = {},
) {
  return {
    name,
    type,
    family: 'IPv4',
    hashSize: 1024,
    maxElements: 65536,
    ...options,
  } as const satisfies SetHeader;
}

/** A set of ports. */
export function bitmap(firstPort = 0, lastPort = 65535): SetHeader {
  return { name, type: 'bitmap:port', firstPort, lastPort };
}

/** A Service's address and port. */
export function service(address: string, port = 80): Entry {
  return { type: 'hash:ip,port', ip: ip(address), protocol: 'TCP', port };
}

/** Who may reach a Service. */
export function source(
  network: string,
  address = network.includes(':') ? 'fd00:172:30::1' : '172.30.0.1',
): Entry {
  return {
    type: 'hash:ip,port,net',
    ip: ip(address),
    protocol: 'TCP',
    port: 443,
    net: net(network),
  };
}

/** Every type and family, with entries as they come back: one text each, in the order of the texts. */
export const kinds: readonly {
  header: SetHeader;
  entries: readonly Entry[];
  keys: readonly string[];
}[] = [
  {
    header: hash('hash:ip'),
    entries: [
      { type: 'hash:ip', ip: ip('172.30.0.1') },
      { type: 'hash:ip', ip: ip('255.255.255.255') },
    ],
    keys: ['172.30.0.1', '255.255.255.255'],
  },
  {
    header: hash('hash:ip', { family: 'IPv6' }),
    entries: [{ type: 'hash:ip', ip: ip('fd00:172:30::1') }],
    keys: ['fd00:172:30::1'],
  },
  {
    header: hash('hash:ip,port'),
    entries: [
      service('172.30.0.1', 0),
      service('172.30.0.1', 65535),
      { type: 'hash:ip,port', ip: ip('172.30.0.1'), protocol: 'UDP', port: 53 },
      { type: 'hash:ip,port', ip: ip('172.30.0.1'), protocol: 'SCTP', port: 53 },
    ],
    keys: ['172.30.0.1,sctp:53', '172.30.0.1,tcp:0', '172.30.0.1,tcp:65535', '172.30.0.1,udp:53'],
  },
  {
    header: hash('hash:ip,port', { family: 'IPv6' }),
    entries: [service('fd00:172:30::1')],
    keys: ['fd00:172:30::1,tcp:80'],
  },
  {
    header: hash('hash:ip,port,ip'),
    entries: [
      {
        type: 'hash:ip,port,ip',
        ip: ip('10.0.0.7'),
        protocol: 'UDP',
        port: 53,
        ip2: ip('10.0.0.8'),
      },
    ],
    keys: ['10.0.0.7,udp:53,10.0.0.8'],
  },
  {
    header: hash('hash:ip,port,ip', { family: 'IPv6' }),
    entries: [
      {
        type: 'hash:ip,port,ip',
        ip: ip('fd00:10::7'),
        protocol: 'TCP',
        port: 1,
        ip2: ip('fd00:10::8'),
      },
    ],
    keys: ['fd00:10::7,tcp:1,fd00:10::8'],
  },
  {
    header: hash('hash:ip,port,net'),
    entries: [source('203.0.113.0/24'), source('203.0.113.7/32'), source('128.0.0.0/1')],
    keys: [
      '172.30.0.1,tcp:443,128.0.0.0/1',
      '172.30.0.1,tcp:443,203.0.113.0/24',
      '172.30.0.1,tcp:443,203.0.113.7',
    ],
  },
  {
    header: hash('hash:ip,port,net', { family: 'IPv6' }),
    entries: [source('2001:db8::/32'), source('2001:db8::7/128')],
    keys: ['fd00:172:30::1,tcp:443,2001:db8::/32', 'fd00:172:30::1,tcp:443,2001:db8::7'],
  },
  {
    header: bitmap(),
    entries: [
      { type: 'bitmap:port', port: 0 },
      { type: 'bitmap:port', port: 30080 },
      { type: 'bitmap:port', port: 65535 },
    ],
    keys: ['0', '30080', '65535'],
  },
];
