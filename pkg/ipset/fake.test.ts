import { describe, expect, test } from 'vitest';
import { type IpSetsSubject, ipSetsContract } from '../../test/contract/ipset.ts';
import { ip, net } from '../../test/support/addresses.ts';
import { errnoOf } from '../errno/errno.ts';
import { FakeIpSets } from './fake.ts';
import type { Entry, SetHeader } from './ipset.ts';

const header: SetHeader = {
  name: 'KUBE-IPVS-IPS',
  type: 'hash:ip',
  family: 'IPv4',
  hashSize: 1024,
  maxElements: 65536,
};

function address(text: string): Entry {
  return { type: 'hash:ip', ip: ip(text) };
}

describe('the fake keeps the contract', () => {
  ipSetsContract((): IpSetsSubject => {
    const ipsets = new FakeIpSets();
    return { ipsets, refer: (name) => ipsets.refer(name), dispose: () => undefined };
  });
});

describe('the fake', () => {
  test('prints itself as ipset save does, sorted', () => {
    const ipsets = new FakeIpSets();
    ipsets.create({
      name: 'KUBE-NODE-PORT-TCP',
      type: 'bitmap:port',
      firstPort: 0,
      lastPort: 65535,
    });
    ipsets.create({ ...header, name: 'KUBE-6-SOURCE', type: 'hash:ip,port,net', family: 'IPv6' });
    ipsets.create(header);
    const service = { ip: ip('fd00:172:30::1'), protocol: 'UDP', port: 53 } as const;
    ipsets.write([
      { kind: 'addEntry', set: 'KUBE-IPVS-IPS', entry: address('172.30.0.9') },
      { kind: 'addEntry', set: 'KUBE-IPVS-IPS', entry: address('172.30.0.10') },
      { kind: 'addEntry', set: 'KUBE-NODE-PORT-TCP', entry: { type: 'bitmap:port', port: 30080 } },
      {
        kind: 'addEntry',
        set: 'KUBE-6-SOURCE',
        entry: { type: 'hash:ip,port,net', ...service, net: net('2001:db8::7/128') },
      },
    ]);
    expect(ipsets.dump()).toBe(
      [
        'create KUBE-6-SOURCE hash:ip,port,net family inet6 hashsize 1024 maxelem 65536',
        'add KUBE-6-SOURCE fd00:172:30::1,udp:53,2001:db8::7',
        'create KUBE-IPVS-IPS hash:ip family inet hashsize 1024 maxelem 65536',
        'add KUBE-IPVS-IPS 172.30.0.10',
        'add KUBE-IPVS-IPS 172.30.0.9',
        'create KUBE-NODE-PORT-TCP bitmap:port range 0-65535',
        'add KUBE-NODE-PORT-TCP 30080',
      ].join('\n'),
    );
  });

  test('refuses an entry of another type than its set, which the kernel may not notice', () => {
    const ipsets = new FakeIpSets();
    ipsets.create(header);
    const failures = ipsets.write([
      { kind: 'addEntry', set: header.name, entry: { type: 'bitmap:port', port: 1 } },
    ]);
    expect(failures[0]?.error.message).toBe(
      'add 1 to set KUBE-IPVS-IPS: EINVAL (the set is a hash:ip)',
    );
  });

  test('rounds the hash size as the kernel does', async () => {
    const ipsets = new FakeIpSets();
    ipsets.create({ ...header, hashSize: 1 });
    ipsets.create({ ...header, name: 'KUBE-LARGER', hashSize: 1025 });
    expect(
      (await ipsets.sets()).map((set) => 'hashSize' in set.header && set.header.hashSize),
    ).toEqual([64, 2048]);
  });

  test('fails what it is told to fail, one write of a batch as well', async () => {
    const ipsets = new FakeIpSets();
    ipsets.failWith = (call) => {
      if (
        call.call === 'write' &&
        call.write.entry.type === 'hash:ip' &&
        call.write.entry.ip === '172.30.0.2'
      )
        return 'ENOMEM';
      return call.call === 'sets' ? 'EIO' : undefined;
    };
    ipsets.create(header);
    const failures = ipsets.write(
      ['172.30.0.1', '172.30.0.2', '172.30.0.3'].map((text) => ({
        kind: 'addEntry',
        set: header.name,
        entry: address(text),
      })),
    );
    expect(failures.map(({ index, error }) => [index, errnoOf(error)])).toEqual([[1, 'ENOMEM']]);
    expect(await ipsets.entries(header.name)).toHaveLength(2);
    await expect(ipsets.sets()).rejects.toMatchObject({ code: 'EIO' });
    expect(ipsets.calls).toEqual({
      protocol: 0,
      create: 1,
      destroy: 0,
      swap: 0,
      write: 1,
      sets: 1,
      entries: 1,
    });
    expect(ipsets.writes).toBe(3);
  });
});
