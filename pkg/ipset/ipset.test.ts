import { describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import {
  canonicalEntries,
  type Entry,
  entryKey,
  printEntryWrite,
  printSetHeader,
  setNameProblem,
} from './ipset.ts';

function source(network: string): Entry {
  return {
    type: 'hash:ip,port,net',
    ip: ip('172.30.0.1'),
    protocol: 'SCTP',
    port: 443,
    net: net(network),
  };
}

describe('entryKey is what ipset save prints', () => {
  test.each<[string, Entry]>([
    ['172.30.0.1', { type: 'hash:ip', ip: ip('172.30.0.1') }],
    ['fd00::1,udp:53', { type: 'hash:ip,port', ip: ip('fd00::1'), protocol: 'UDP', port: 53 }],
    [
      '10.0.0.7,tcp:80,10.0.0.8',
      {
        type: 'hash:ip,port,ip',
        ip: ip('10.0.0.7'),
        protocol: 'TCP',
        port: 80,
        ip2: ip('10.0.0.8'),
      },
    ],
    ['172.30.0.1,sctp:443,203.0.113.0/24', source('203.0.113.0/24')],
    ['172.30.0.1,sctp:443,203.0.113.7', source('203.0.113.7/32')],
    ['172.30.0.1,sctp:443,2001:db8::7', source('2001:db8::7/128')],
    ['172.30.0.1,sctp:443,2001:db8::/32', source('2001:db8::/32')],
    ['30080', { type: 'bitmap:port', port: 30080 }],
  ])('%s', (text, entry) => {
    expect(entryKey(entry)).toBe(text);
  });
});

describe('canonicalEntries', () => {
  test.each([
    ['keeps a network', '203.0.113.0/24', ['203.0.113.0/24']],
    ['keeps a single address', '203.0.113.7/32', ['203.0.113.7']],
    ['keeps a half', '128.0.0.0/1', ['128.0.0.0/1']],
    ['splits everything', '0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1']],
    ['splits everything in IPv6', '::/0', ['::/1', '8000::/1']],
  ])('%s', (_, network, expected) => {
    const keys = canonicalEntries(source(network)).map(entryKey);
    expect(keys).toEqual(expected.map((text) => `172.30.0.1,sctp:443,${text}`));
  });

  test('clears host bits', () => {
    const entry = {
      ...source('203.0.113.0/24'),
      net: { address: ip('203.0.113.9'), length: 24 },
    } as Entry;
    expect(canonicalEntries(entry)).toEqual([source('203.0.113.0/24')]);
  });

  test('leaves entries without a network alone', () => {
    const entry: Entry = { type: 'bitmap:port', port: 1 };
    expect(canonicalEntries(entry)).toEqual([entry]);
  });
});

test.each([
  ['', 'a name has 1 to 31 bytes, this one 0'],
  ['KUBE-LOOP-BACK', undefined],
  ['KUBE-6-LOAD-BALANCER-SOURCE-CID', undefined],
  ['KUBE-6-LOAD-BALANCER-SOURCE-CIDR', 'a name has 1 to 31 bytes, this one 32'],
  ['é'.repeat(16), 'a name has 1 to 31 bytes, this one 32'],
  ['KUBE\0', 'a name has no zero byte'],
])('setNameProblem(%j)', (name, problem) => {
  expect(setNameProblem(name)).toBe(problem);
});

test('headers and writes print as ipset and logs have them', () => {
  const sizes = { name: 'KUBE-A', hashSize: 1024, maxElements: 65536 } as const;
  expect(printSetHeader({ ...sizes, type: 'hash:ip,port', family: 'IPv4' })).toBe(
    'hash:ip,port family inet hashsize 1024 maxelem 65536',
  );
  expect(printSetHeader({ ...sizes, type: 'hash:ip', family: 'IPv6' })).toBe(
    'hash:ip family inet6 hashsize 1024 maxelem 65536',
  );
  expect(printSetHeader({ name: 'P', type: 'bitmap:port', firstPort: 1, lastPort: 9 })).toBe(
    'bitmap:port range 1-9',
  );
  const entry: Entry = { type: 'bitmap:port', port: 80 };
  expect(printEntryWrite({ kind: 'addEntry', set: 'P', entry })).toBe('add 80 to set P');
  expect(printEntryWrite({ kind: 'deleteEntry', set: 'P', entry })).toBe('delete 80 from set P');
});
