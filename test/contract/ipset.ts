import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf, type Failure } from '../../pkg/errno/errno.ts';
import {
  canonicalEntries,
  type Entry,
  type EntryWrite,
  entryKey,
  type IpSets,
  printSetHeader,
} from '../../pkg/ipset/ipset.ts';
import { ip, net } from '../support/addresses.ts';
import { bitmap, hash, kinds, name, service, source } from './ipset-samples.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface IpSetsSubject {
  readonly ipsets: IpSets;
  /** Makes a rule refer to a set, as `ip,port` or by other parts of a packet; the returned function takes it away. */
  refer(name: string, directions?: string): () => void;
  /** Leaves no set behind. */
  dispose(): void;
}

function add(entry: Entry, set = name): EntryWrite {
  return { kind: 'addEntry', set, entry };
}

function remove(entry: Entry, set = name): EntryWrite {
  return { kind: 'deleteEntry', set, entry };
}

function codes(failures: readonly Failure[]) {
  return failures.map(({ index, error }) => [index, errnoOf(error)]);
}

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** What every implementation of {@link IpSets} does. `make` is called before each test. */
export function ipSetsContract(make: () => IpSetsSubject | Promise<IpSetsSubject>): void {
  let subject: IpSetsSubject;
  let ipsets: IpSets;
  beforeEach(async () => {
    subject = await make();
    ipsets = subject.ipsets;
  });
  afterEach(() => subject.dispose());

  const keys = async (set = name) => (await ipsets.entries(set)).map(entryKey).sort();
  const headers = async () =>
    (await ipsets.sets()).map(({ header }) => `${header.name} ${printSetHeader(header)}`).sort();

  test('speaks a protocol that is known', () => {
    expect(ipsets.protocol()).toBeGreaterThanOrEqual(6);
  });

  describe('sets', () => {
    test.each(kinds)(
      '$header.type $header.family comes back as it was created',
      async ({ header }) => {
        ipsets.create(header);
        expect(await ipsets.sets()).toEqual([
          { header, hasExtensions: false, references: 0, entryCount: 0 },
        ]);
      },
    );

    test('of all names and types stand side by side', async () => {
      ipsets.create(hash('hash:ip', { name: 'KUBE-A' }));
      ipsets.create(hash('hash:ip', { name: 'KUBE-6-A', family: 'IPv6' }));
      ipsets.create({ name: 'KUBE-P', type: 'bitmap:port', firstPort: 1, lastPort: 9 });
      expect(await headers()).toEqual([
        'KUBE-6-A hash:ip family inet6 hashsize 1024 maxelem 65536',
        'KUBE-A hash:ip family inet hashsize 1024 maxelem 65536',
        'KUBE-P bitmap:port range 1-9',
      ]);
    });

    test.each([
      ['the same again', hash('hash:ip,port'), hash('hash:ip,port')],
      ['another hashsize', hash('hash:ip,port'), hash('hash:ip,port', { hashSize: 4096 })],
      ['the same bitmap again', bitmap(), bitmap()],
    ])('that exist are found: %s', async (_, first, second) => {
      ipsets.create(first);
      ipsets.create(second);
      expect(await ipsets.sets()).toMatchObject([{ header: first }]);
    });

    test.each([
      ['another type', hash('hash:ip,port'), hash('hash:ip')],
      ['a bitmap', hash('hash:ip,port'), bitmap()],
      ['another family', hash('hash:ip,port'), hash('hash:ip,port', { family: 'IPv6' })],
      ['another maxelem', hash('hash:ip,port'), hash('hash:ip,port', { maxElements: 131072 })],
      ['another range', bitmap(), bitmap(30000, 32767)],
    ])('that are in the way are EEXIST and stay: %s', async (_, first, second) => {
      ipsets.create(first);
      const error = caught(() => ipsets.create(second));
      expect(errnoOf(error)).toBe('EEXIST');
      expect(String(error)).toContain(`it is ${first.type}`);
      expect(await ipsets.sets()).toMatchObject([{ header: first }]);
    });

    test('have names of 1 to 31 bytes', async () => {
      const longest = 'KUBE-6-LOAD-BALANCER-SOURCE-CID';
      ipsets.create(hash('hash:ip', { name: longest }));
      for (const bad of ['', `${longest}R`, `KUBE-${'é'.repeat(14)}`, 'KUBE\0']) {
        expect(errnoOf(caught(() => ipsets.create(hash('hash:ip', { name: bad }))))).toBe('EINVAL');
      }
      expect(await headers()).toEqual([
        `${longest} hash:ip family inet hashsize 1024 maxelem 65536`,
      ]);
    });

    test('are destroyed with their entries', async () => {
      ipsets.create(hash('hash:ip,port'));
      ipsets.create(hash('hash:ip', { name: 'KUBE-OTHER' }));
      ipsets.write([add(service('172.30.0.1'))]);
      ipsets.destroy(name);
      expect(await headers()).toEqual([
        'KUBE-OTHER hash:ip family inet hashsize 1024 maxelem 65536',
      ]);
      ipsets.create(hash('hash:ip,port'));
      expect(await keys()).toEqual([]);
    });

    test('that are missing cannot be destroyed or listed: ENOENT', async () => {
      ipsets.create(hash('hash:ip', { name: 'KUBE-OTHER' }));
      for (const missing of [name, '']) {
        expect(errnoOf(caught(() => ipsets.destroy(missing)))).toBe('ENOENT');
        await expect(ipsets.entries(missing)).rejects.toMatchObject({ code: 'ENOENT' });
      }
      expect(await ipsets.sets()).toHaveLength(1);
    });

    test('that a rule refers to are EBUSY until it goes', async () => {
      ipsets.create(hash('hash:ip,port'));
      const release = subject.refer(name);
      expect(errnoOf(caught(() => ipsets.destroy(name)))).toBe('EBUSY');
      expect(await ipsets.sets()).toMatchObject([{ references: 1 }]);
      release();
      ipsets.destroy(name);
      expect(await ipsets.sets()).toEqual([]);
    });
  });

  describe('a swap', () => {
    const other = 'KUBE-OTHER';

    test('exchanges entries and sizes, whoever refers to them', async () => {
      ipsets.create(bitmap(30_000, 32_767));
      ipsets.create({ ...bitmap(), name: other });
      const ports = [30_080, 30_081].map((port) => ({ type: 'bitmap:port', port }) as const);
      ipsets.write([
        ...ports.slice(0, 1).map((port) => add(port)),
        ...ports.map((port) => add(port, other)),
      ]);
      const release = subject.refer(name, 'dst');
      ipsets.swap(other, name);
      expect([await keys(), await keys(other)]).toEqual([['30080', '30081'], ['30080']]);
      expect(await headers()).toEqual(
        [`${name} bitmap:port range 0-65535`, `${other} bitmap:port range 30000-32767`].sort(),
      );
      expect(errnoOf(caught(() => ipsets.destroy(name)))).toBe('EBUSY');
      ipsets.destroy(other);
      release();
    });

    test.each([
      ['another type', hash('hash:ip', { name: other })],
      ['another family', hash('hash:ip,port', { name: other, family: 'IPv6' })],
      ['a bitmap', { ...bitmap(), name: other }],
    ])('is refused with %s: EINVAL', async (_, header) => {
      ipsets.create(hash('hash:ip,port'));
      ipsets.create(header);
      const before = await headers();
      expect(errnoOf(caught(() => ipsets.swap(name, other)))).toBe('EINVAL');
      expect(await headers()).toEqual(before);
    });

    test('needs both: ENOENT', () => {
      ipsets.create(hash('hash:ip,port'));
      expect(errnoOf(caught(() => ipsets.swap(name, other)))).toBe('ENOENT');
      expect(errnoOf(caught(() => ipsets.swap(other, name)))).toBe('ENOENT');
    });
  });

  describe('entries', () => {
    test.each(kinds)(
      'of $header.type $header.family come back, are counted, and go',
      async ({ header, entries, keys: texts }) => {
        ipsets.create(header);
        expect(ipsets.write(entries.map((entry) => add(entry)))).toEqual([]);
        const held = await ipsets.entries(name);
        expect(held.map(entryKey).sort()).toEqual(texts);
        expect(held).toEqual(expect.arrayContaining([...entries]));
        expect(await ipsets.sets()).toMatchObject([{ entryCount: texts.length }]);
        expect(ipsets.write(entries.map((entry) => remove(entry)))).toEqual([]);
        expect(await keys()).toEqual([]);
      },
    );

    test('may be added twice, and deleted when they are absent', async () => {
      ipsets.create(hash('hash:ip,port'));
      const entry = service('172.30.0.1');
      expect(ipsets.write([add(entry), add(entry), add(entry)])).toEqual([]);
      expect(ipsets.write([add(entry)])).toEqual([]);
      expect(await keys()).toEqual(['172.30.0.1,tcp:80']);
      expect(ipsets.write([remove(service('172.30.0.2')), remove(entry), remove(entry)])).toEqual(
        [],
      );
      expect(await keys()).toEqual([]);
    });

    test('are written in order: the last write of an entry stands', async () => {
      ipsets.create(hash('hash:ip,port'));
      const one = service('172.30.0.1');
      const other = service('172.30.0.2');
      expect(
        ipsets.write([add(one), remove(one), remove(other), add(other), add(one), remove(one)]),
      ).toEqual([]);
      expect(await keys()).toEqual(['172.30.0.2,tcp:80']);
    });

    test('keep their order behind one that fails', async () => {
      ipsets.create(hash('hash:ip,port'));
      const one = service('172.30.0.1');
      const other = service('172.30.0.2');
      const bad = service('fd00:172:30::1');
      const failures = ipsets.write([add(bad), add(one), remove(bad), remove(one), add(other)]);
      expect(codes(failures)).toEqual([
        [0, 'EINVAL'],
        [2, 'EINVAL'],
      ]);
      expect(await keys()).toEqual(['172.30.0.2,tcp:80']);
    });

    test('go to many sets in one batch; a missing one is ENOENT for its own entries only', async () => {
      ipsets.create(hash('hash:ip,port'));
      ipsets.create({ ...bitmap(), name: 'KUBE-P' });
      const failures = ipsets.write([
        add(service('172.30.0.1')),
        add(service('172.30.0.1'), 'KUBE-NONE'),
        add({ type: 'bitmap:port', port: 30080 }, 'KUBE-P'),
        remove(service('172.30.0.1'), 'KUBE-NONE'),
        add(service('172.30.0.2')),
        add({ type: 'bitmap:port', port: 30081 }, 'KUBE-P'),
      ]);
      expect(codes(failures)).toEqual([
        [1, 'ENOENT'],
        [3, 'ENOENT'],
      ]);
      expect(failures.map(({ error }) => error.message)).toEqual([
        expect.stringContaining('add 172.30.0.1,tcp:80 to set KUBE-NONE: ENOENT'),
        expect.stringContaining('delete 172.30.0.1,tcp:80 from set KUBE-NONE: ENOENT'),
      ]);
      expect(await keys()).toEqual(['172.30.0.1,tcp:80', '172.30.0.2,tcp:80']);
      expect(await keys('KUBE-P')).toEqual(['30080', '30081']);
    });

    test('of the other family are EINVAL', async () => {
      ipsets.create(hash('hash:ip,port,net'));
      const mixed = { ...source('203.0.113.0/24'), net: net('2001:db8::/32') } as Entry;
      expect(
        codes(
          ipsets.write([add(source('2001:db8::/32')), add(mixed), add(source('203.0.113.0/24'))]),
        ),
      ).toEqual([
        [0, 'EINVAL'],
        [1, 'EINVAL'],
      ]);
      ipsets.create(hash('hash:ip', { name: 'KUBE-6', family: 'IPv6' }));
      expect(
        codes(ipsets.write([add({ type: 'hash:ip', ip: ip('172.30.0.1') }, 'KUBE-6')])),
      ).toEqual([[0, 'EINVAL']]);
    });

    test('of hash:ip are no unspecified address', async () => {
      ipsets.create(hash('hash:ip'));
      const writes = ['172.30.0.1', '0.0.0.0', '172.30.0.2'].map((text) =>
        add({ type: 'hash:ip', ip: ip(text) }),
      );
      expect(codes(ipsets.write(writes))).toEqual([[1, 'EINVAL']]);
      expect(await keys()).toEqual(['172.30.0.1', '172.30.0.2']);
    });

    test.each([
      ['IPv4', '0.0.0.0/0', ['0.0.0.0/1', '128.0.0.0/1']],
      ['IPv6', '::/0', ['8000::/1', '::/1']],
    ] as const)(
      'with an %s network of length 0 are EINVAL, its halves are not',
      async (family, everything, halves) => {
        ipsets.create(hash('hash:ip,port,net', { family }));
        const entry = source(everything);
        expect(codes(ipsets.write([add(entry), remove(entry)]))).toEqual([
          [0, 'EINVAL'],
          [1, 'EINVAL'],
        ]);
        expect(ipsets.write(canonicalEntries(entry).map((half) => add(half)))).toEqual([]);
        const held = (await ipsets.entries(name)).map((half) =>
          half.type === 'hash:ip,port,net' ? half.net : undefined,
        );
        expect(held.map((half) => `${half?.address}/${half?.length}`).sort()).toEqual(halves);
      },
    );

    test('lose the host bits of their network', async () => {
      ipsets.create(hash('hash:ip,port,net'));
      const entry = {
        ...source('203.0.113.0/24'),
        net: { address: ip('203.0.113.9'), length: 24 },
      } as Entry;
      expect(ipsets.write([add(entry)])).toEqual([]);
      expect(await ipsets.entries(name)).toEqual([source('203.0.113.0/24')]);
    });

    test('outside the range of a bitmap are ERANGE', async () => {
      ipsets.create(bitmap(30000, 32767));
      const writes = [29999, 30000, 32768, 32767].map((port) => add({ type: 'bitmap:port', port }));
      expect(codes(ipsets.write([...writes, remove({ type: 'bitmap:port', port: 1 })]))).toEqual([
        [0, 'ERANGE'],
        [2, 'ERANGE'],
        [4, 'ERANGE'],
      ]);
      expect(await keys()).toEqual(['30000', '32767']);
    });

    test('with a port that is none are ERANGE', async () => {
      ipsets.create(hash('hash:ip,port'));
      const writes = [70000, -1, 80].map((port) => add(service('172.30.0.1', port)));
      expect(codes(ipsets.write(writes))).toEqual([
        [0, 'ERANGE'],
        [1, 'ERANGE'],
      ]);
      expect(await keys()).toEqual(['172.30.0.1,tcp:80']);
    });

    test('of a full set are ENOSPC, those it has are not, and there is room again after a delete', async () => {
      ipsets.create(hash('hash:ip,port', { maxElements: 2 }));
      const entries = [1, 2, 3, 4].map((port) => service('172.30.0.1', port));
      const failures = ipsets.write(
        [...entries, ...entries.slice(0, 2)].map((entry) => add(entry)),
      );
      expect(codes(failures)).toEqual([
        [2, 'ENOSPC'],
        [3, 'ENOSPC'],
      ]);
      expect(failures[0]?.error.message).toBe(
        'add 172.30.0.1,tcp:3 to set KUBE-TEST: ENOSPC (set is full)',
      );
      expect(
        ipsets.write([remove(service('172.30.0.1', 1)), add(service('172.30.0.1', 4))]),
      ).toEqual([]);
      expect(await keys()).toEqual(['172.30.0.1,tcp:2', '172.30.0.1,tcp:4']);
    });

    test('by the thousand: only the bad ones fail', async () => {
      ipsets.create(hash('hash:ip,port'));
      const writes = Array.from({ length: 5000 }, (_, index) =>
        add(
          index % 1777 === 1776 ? service('fd00:172:30::1', index) : service('172.30.0.1', index),
        ),
      );
      expect(codes(ipsets.write(writes))).toEqual([
        [1776, 'EINVAL'],
        [3553, 'EINVAL'],
      ]);
      expect(await ipsets.sets()).toMatchObject([{ entryCount: 4998 }]);
      expect(await ipsets.entries(name)).toHaveLength(4998);
    });

    test('that do not fit by the thousand all fail by themselves', async () => {
      ipsets.create(hash('hash:ip,port', { maxElements: 10 }));
      const writes = Array.from({ length: 3000 }, (_, port) => add(service('172.30.0.1', port)));
      const failures = ipsets.write(writes);
      expect(failures.map(({ index }) => index)).toEqual(
        Array.from({ length: 2990 }, (_, index) => index + 10),
      );
      expect(new Set(failures.map(({ error }) => errnoOf(error)))).toEqual(new Set(['ENOSPC']));
    });

    test('none at all is no write', () => {
      expect(ipsets.write([])).toEqual([]);
    });
  });
}
