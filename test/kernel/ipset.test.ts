import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type EntryWrite,
  entryKey,
  printSetHeader,
  type SetHeader,
} from '../../pkg/ipset/ipset.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { type Connection, openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { type IpSetsSubject, ipSetsContract } from '../contract/ipset.ts';
import { ip, net } from '../support/addresses.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';

let node: Namespace;
let connection: Connection;
let ipsets: NetlinkIpSets;

beforeAll(() => {
  node = createNamespace();
  connection = openConnection(NETLINK_NETFILTER, { netns: node.path, echo: true });
  ipsets = new NetlinkIpSets(connection);
});

afterAll(() => {
  connection.close();
  node.remove();
});

function ipset(...args: readonly string[]): string {
  return node.run('ipset', ...args);
}

/** `ipset save` without what the kernel adds of its own. */
function saved(): readonly string[] {
  return ipset('save')
    .trim()
    .replace(/ bucketsize \d+ initval 0x[0-9a-f]+/g, '')
    .split('\n')
    .sort();
}

describe('the kernel keeps the contract', () => {
  ipSetsContract(
    (): IpSetsSubject => ({
      ipsets,
      refer(name, directions = 'dst,dst') {
        const rule = ['INPUT', '-m', 'set', '--match-set', name, directions];
        node.run('iptables', '-A', ...rule);
        return () => void node.run('iptables', '-D', ...rule);
      },
      dispose: () => void ipset('destroy'),
    }),
  );
});

const sizes = { hashSize: 1024, maxElements: 65536 } as const;
const headers: readonly SetHeader[] = [
  { name: 'KUBE-IPVS-IPS', type: 'hash:ip', family: 'IPv4', ...sizes },
  { name: 'KUBE-6-IPVS-IPS', type: 'hash:ip', family: 'IPv6', ...sizes },
  { name: 'KUBE-CLUSTER-IP', type: 'hash:ip,port', family: 'IPv4', ...sizes },
  { name: 'KUBE-6-CLUSTER-IP', type: 'hash:ip,port', family: 'IPv6', ...sizes },
  { name: 'KUBE-LOOP-BACK', type: 'hash:ip,port,ip', family: 'IPv4', ...sizes },
  { name: 'KUBE-6-LOOP-BACK', type: 'hash:ip,port,ip', family: 'IPv6', ...sizes },
  { name: 'KUBE-LOAD-BALANCER-SOURCE-CIDR', type: 'hash:ip,port,net', family: 'IPv4', ...sizes },
  { name: 'KUBE-6-LOAD-BALANCER-SOURCE-CID', type: 'hash:ip,port,net', family: 'IPv6', ...sizes },
  { name: 'KUBE-NODE-PORT-TCP', type: 'bitmap:port', firstPort: 0, lastPort: 65535 },
];

describe('beside the ipset tool', () => {
  afterEach(() => void ipset('destroy'));

  test.each(headers)(
    '$name is the set that the tool makes, and either finds the other',
    (header) => {
      const words = printSetHeader(header).split(' ');
      ipsets.create(header);
      const ours = saved();
      ipset('create', header.name, ...words, '-exist');
      ipset('destroy');
      ipset('create', header.name, ...words);
      expect(saved()).toEqual(ours);
      ipsets.create(header);
    },
  );

  test('what is written is what the tool saves', () => {
    for (const header of headers) ipsets.create(header);
    const vip = ip('172.30.0.1');
    const vip6 = ip('fd00:172:30::1');
    const dns = { protocol: 'UDP', port: 53 } as const;
    const add = (set: string, entry: EntryWrite['entry']): EntryWrite => ({
      kind: 'addEntry',
      set,
      entry,
    });
    const writes = [
      add('KUBE-IPVS-IPS', { type: 'hash:ip', ip: vip }),
      add('KUBE-6-IPVS-IPS', { type: 'hash:ip', ip: vip6 }),
      add('KUBE-CLUSTER-IP', { type: 'hash:ip,port', ip: vip, ...dns }),
      add('KUBE-6-CLUSTER-IP', { type: 'hash:ip,port', ip: vip6, ...dns, protocol: 'SCTP' }),
      add('KUBE-LOOP-BACK', {
        type: 'hash:ip,port,ip',
        ip: ip('10.0.0.7'),
        ...dns,
        ip2: ip('10.0.0.7'),
      }),
      add('KUBE-6-LOOP-BACK', { type: 'hash:ip,port,ip', ip: vip6, ...dns, ip2: ip('fd00:10::7') }),
      add('KUBE-LOAD-BALANCER-SOURCE-CIDR', {
        type: 'hash:ip,port,net',
        ip: vip,
        ...dns,
        net: net('203.0.113.7/32'),
      }),
      add('KUBE-6-LOAD-BALANCER-SOURCE-CID', {
        type: 'hash:ip,port,net',
        ip: vip6,
        ...dns,
        net: net('2001:db8::/32'),
      }),
      add('KUBE-NODE-PORT-TCP', { type: 'bitmap:port', port: 30080 }),
    ];
    expect(ipsets.write(writes)).toEqual([]);
    const expected = [
      ...headers.map((header) => `create ${header.name} ${printSetHeader(header)}`),
      ...writes.map(({ set, entry }) => `add ${set} ${entryKey(entry)}`),
    ];
    expect(saved()).toEqual(expected.sort());
    ipsets.write(writes.map((write) => ({ ...write, kind: 'deleteEntry' })));
    expect(saved().filter((line) => line.startsWith('add'))).toEqual([]);
  });

  test('what the tool writes is read, but for what no entry can say', async () => {
    ipset('create', 'KUBE-CLUSTER-IP', 'hash:ip,port');
    for (const entry of ['172.30.0.1,tcp:80', '172.30.0.1,icmp:8/0', '172.30.0.1,udplite:80']) {
      ipset('add', 'KUBE-CLUSTER-IP', entry);
    }
    expect((await ipsets.entries('KUBE-CLUSTER-IP')).map(entryKey)).toEqual(['172.30.0.1,tcp:80']);
  });

  test('an exception is no entry, and adding the entry takes its place', async () => {
    ipset('create', 'KUBE-SOURCES', 'hash:ip,port,net');
    ipset('add', 'KUBE-SOURCES', '172.30.0.1,tcp:443,203.0.113.0/24', 'nomatch');
    expect(await ipsets.entries('KUBE-SOURCES')).toEqual([]);
    const entry = {
      type: 'hash:ip,port,net',
      ip: ip('172.30.0.1'),
      protocol: 'TCP',
      port: 443,
    } as const;
    const write = { ...entry, net: net('203.0.113.0/24') };
    expect(ipsets.write([{ kind: 'addEntry', set: 'KUBE-SOURCES', entry: write }])).toEqual([]);
    expect(await ipsets.entries('KUBE-SOURCES')).toEqual([write]);
    expect(saved().at(0)).toBe('add KUBE-SOURCES 172.30.0.1,tcp:443,203.0.113.0/24');
  });

  test('sets of other types are named, and in the way', async () => {
    ipset('create', 'KUBE-NODE-PORT-SCTP', 'hash:net');
    ipset('create', 'KUBE-OTHER', 'list:set');
    expect((await ipsets.sets()).map(({ header }) => header)).toEqual([
      { name: 'KUBE-NODE-PORT-SCTP', type: 'other', typeName: 'hash:net' },
      { name: 'KUBE-OTHER', type: 'other', typeName: 'list:set' },
    ]);
    const header = {
      name: 'KUBE-NODE-PORT-SCTP',
      type: 'bitmap:port',
      firstPort: 0,
      lastPort: 65535,
    } as const;
    expect(() => ipsets.create(header)).toThrow(
      'create set KUBE-NODE-PORT-SCTP: EEXIST (it is hash:net)',
    );
  });

  test.each([
    ['timeout', '60'],
    ['counters'],
    ['comment'],
    ['skbinfo'],
    ['netmask', '24'],
    ['forceadd'],
  ])('a set with %s is told from one without', async (...extension) => {
    ipset('create', 'KUBE-IPVS-IPS', 'hash:ip', ...extension);
    expect(await ipsets.sets()).toMatchObject([{ hasExtensions: true }]);
  });

  test('a set of another type is swapped in if its entries consist of the same', async () => {
    ipset('create', 'KUBE-IPVS-IPS', 'bitmap:ip', 'range', '172.30.0.0/24');
    ipsets.create({ name: 'KUBE-NEW', type: 'hash:ip', family: 'IPv4', ...sizes });
    ipsets.swap('KUBE-NEW', 'KUBE-IPVS-IPS');
    expect((await ipsets.sets()).map(({ header }) => header.type).sort()).toEqual([
      'hash:ip',
      'other',
    ]);
  });

  test('a set with extensions is in the way', () => {
    ipset('create', 'KUBE-IPVS-IPS', 'hash:ip', 'timeout', '60');
    expect(() =>
      ipsets.create({ name: 'KUBE-IPVS-IPS', type: 'hash:ip', family: 'IPv4', ...sizes }),
    ).toThrow('EEXIST (it is hash:ip of another size, or with extensions)');
  });
});
