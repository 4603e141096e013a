import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf } from '../../pkg/errno/errno.ts';
import {
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  type Ipvs,
  type IpvsWrite,
  printRealServer,
  type RealServer,
  type VirtualServer,
} from '../../pkg/ipvs/ipvs.ts';
import { ip } from '../support/addresses.ts';
import { none, one, realServer, two, virtualServer, web, web6 } from './ipvs-samples.ts';

/** An empty IPVS, and another way to read it. */
export interface IpvsHarness {
  readonly ipvs: Ipvs;
  /** The lines of `ipvsadm -Sn`. */
  readBack(): readonly string[];
  close(): void;
}

/** What every Ipvs does. */
export function ipvsContract(name: string, make: () => IpvsHarness): void {
  describe(name, () => {
    let harness: IpvsHarness;
    let ipvs: Ipvs;
    beforeEach(() => {
      harness = make();
      ({ ipvs } = harness);
    });
    afterEach(() => harness.close());

    /** Each failure as `index code`. */
    function write(...batch: readonly IpvsWrite[]): readonly string[] {
      return ipvs.write(batch).map(({ index, error }) => `${index} ${errnoOf(error)}`);
    }

    function add(added: VirtualServer, ...realServers: readonly RealServer[]): void {
      const virtualServers = realServers.map(
        (each): IpvsWrite => ({ kind: 'addRealServer', virtualServer: added, realServer: each }),
      );
      expect(write({ kind: 'addVirtualServer', virtualServer: added }, ...virtualServers)).toEqual(
        [],
      );
    }

    describe('virtual servers', () => {
      test.each<[string, VirtualServer, string]>([
        ['a plain one', web, '-A -t 172.30.0.1:443 -s rr'],
        ['IPv6', web6, '-A -t [fd00:172:30::1]:443 -s rr'],
        [
          'UDP',
          virtualServer('172.30.0.1', { protocol: 'UDP', port: 53 }),
          '-A -u 172.30.0.1:53 -s rr',
        ],
        [
          'SCTP',
          virtualServer('172.30.0.1', { protocol: 'SCTP' }),
          '-A --sctp-service 172.30.0.1:443 -s rr',
        ],
        [
          'another scheduler',
          virtualServer('172.30.0.1', { scheduler: 'lc' }),
          '-A -t 172.30.0.1:443 -s lc',
        ],
        [
          'persistence',
          virtualServer('172.30.0.1', { flags: IP_VS_SVC_F_PERSISTENT, timeout: 10_800 }),
          '-A -t 172.30.0.1:443 -s rr -p 10800',
        ],
        [
          'persistence of client networks',
          virtualServer('172.30.0.1', {
            flags: IP_VS_SVC_F_PERSISTENT,
            timeout: 60,
            prefixLength: 20,
          }),
          '-A -t 172.30.0.1:443 -s rr -p 60 -M 255.255.240.0',
        ],
        [
          'persistence of IPv6 client networks',
          virtualServer('fd00:172:30::1', {
            flags: IP_VS_SVC_F_PERSISTENT,
            timeout: 60,
            prefixLength: 64,
          }),
          '-A -t [fd00:172:30::1]:443 -s rr -p 60 -M 64',
        ],
        [
          'the fallback of sh',
          virtualServer('172.30.0.1', { scheduler: 'sh', flags: IP_VS_SVC_F_SCHED1 }),
          '-A -t 172.30.0.1:443 -s sh -b sh-fallback',
        ],
        [
          'both flags of mh',
          virtualServer('172.30.0.1', {
            scheduler: 'mh',
            flags: IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2,
          }),
          '-A -t 172.30.0.1:443 -s mh -b mh-fallback,mh-port',
        ],
        [
          'one packet scheduling',
          virtualServer('172.30.0.1', { protocol: 'UDP', flags: IP_VS_SVC_F_ONEPACKET }),
          '-A -u 172.30.0.1:443 -s rr -o',
        ],
        [
          'a persistence engine',
          virtualServer('172.30.0.1', {
            protocol: 'UDP',
            flags: IP_VS_SVC_F_PERSISTENT,
            timeout: 60,
            persistenceEngine: 'sip',
          }),
          '-A -u 172.30.0.1:443 -s rr -p 60 --pe sip',
        ],
      ])('%s comes back as it was asked for', async (_, asked, line) => {
        add(asked);
        expect(await ipvs.virtualServers()).toEqual([{ ...asked, statistics: none }]);
        expect(ipvs.virtualServer(asked)).toEqual({ ...asked, statistics: none });
        expect(harness.readBack()).toEqual([line]);
      });

      test('one is told from another by address, protocol and port', async () => {
        const others = [
          web,
          virtualServer('172.30.0.2'),
          virtualServer('172.30.0.1', { protocol: 'UDP' }),
          virtualServer('172.30.0.1', { port: 444 }),
          web6,
        ];
        for (const other of others) add(other);
        expect(await ipvs.virtualServers()).toHaveLength(others.length);
        expect(
          write({ kind: 'deleteVirtualServer', virtualServer: others[2] as VirtualServer }),
        ).toEqual([]);
        expect(ipvs.virtualServer(others[2] as VirtualServer)).toBeUndefined();
        expect(await ipvs.virtualServers()).toHaveLength(others.length - 1);
      });

      test('a change replaces everything but the real servers', async () => {
        add(
          virtualServer('172.30.0.1', {
            flags: IP_VS_SVC_F_PERSISTENT,
            timeout: 60,
            persistenceEngine: 'sip',
            protocol: 'UDP',
          }),
          one,
        );
        const changed = virtualServer('172.30.0.1', {
          scheduler: 'sh',
          flags: IP_VS_SVC_F_SCHED1,
          protocol: 'UDP',
        });
        expect(write({ kind: 'updateVirtualServer', virtualServer: changed })).toEqual([]);
        expect(ipvs.virtualServer(changed)).toEqual({ ...changed, statistics: none });
        expect(await ipvs.realServers(changed)).toHaveLength(1);
      });

      test('one that is not there is undefined, and has no real servers', async () => {
        expect(ipvs.virtualServer(web)).toBeUndefined();
        expect(await ipvs.realServers(web)).toEqual([]);
        expect(await ipvs.virtualServers()).toEqual([]);
      });

      test('deleting one takes its real servers along', async () => {
        add(web, one, two);
        expect(write({ kind: 'deleteVirtualServer', virtualServer: web })).toEqual([]);
        add(web);
        expect(await ipvs.realServers(web)).toEqual([]);
      });
    });

    describe('real servers', () => {
      test.each<[string, VirtualServer, RealServer, string]>([
        ['a plain one', web, one, '-a -t 172.30.0.1:443 -r 10.0.0.1:80 -m -w 1'],
        [
          'IPv6',
          web6,
          realServer('fd00:10::1'),
          '-a -t [fd00:172:30::1]:443 -r [fd00:10::1]:80 -m -w 1',
        ],
        [
          'weight 0',
          web,
          realServer('10.0.0.1', { weight: 0 }),
          '-a -t 172.30.0.1:443 -r 10.0.0.1:80 -m -w 0',
        ],
        [
          'the largest weight',
          web,
          realServer('10.0.0.1', { weight: 0x7fffffff }),
          '-a -t 172.30.0.1:443 -r 10.0.0.1:80 -m -w 2147483647',
        ],
        [
          'thresholds',
          web,
          realServer('10.0.0.1', { upperThreshold: 100, lowerThreshold: 50 }),
          '-a -t 172.30.0.1:443 -r 10.0.0.1:80 -m -w 1',
        ],
        [
          'direct routing',
          web,
          realServer('10.0.0.1', { forwarding: 'direct', port: 443 }),
          '-a -t 172.30.0.1:443 -r 10.0.0.1:443 -g -w 1',
        ],
        [
          'a tunnel to the other family',
          web,
          realServer('fd00:10::1', { forwarding: 'tunnel', port: 443 }),
          '-a -t 172.30.0.1:443 -r [fd00:10::1]:443 -i -w 1 --tun-type ipip',
        ],
      ])('%s comes back as it was asked for', async (_, asked, each, line) => {
        add(asked, each);
        expect(await ipvs.realServers(asked)).toEqual([
          {
            ...each,
            activeConnections: 0,
            inactiveConnections: 0,
            persistentConnections: 0,
            statistics: none,
          },
        ]);
        expect(harness.readBack()[1]).toEqual(line);
      });

      test('those of one virtual server are not those of another', async () => {
        const other = virtualServer('172.30.0.2');
        add(web, one, two);
        add(other, one);
        expect(write({ kind: 'deleteRealServer', virtualServer: other, realServer: one })).toEqual(
          [],
        );
        expect(await ipvs.realServers(web)).toHaveLength(2);
        expect(await ipvs.realServers(other)).toEqual([]);
      });

      test('only those with some addresses are returned, of either family, once and again', async () => {
        const tunnel = realServer('fd00:10::1', { forwarding: 'tunnel', port: 443 });
        const third = realServer('10.0.0.3');
        add(web, one, two, third, { ...two, port: 81 }, tunnel);
        const some = new Set([two.address, tunnel.address, ip('192.0.2.1')]);
        // What has been read before is read faster.
        for (let time = 0; time < 3; time++) {
          const found = await ipvs.realServers(web, some);
          expect(found.map(printRealServer).sort()).toEqual([
            '10.0.0.2:80',
            '10.0.0.2:81',
            '[fd00:10::1]:443',
          ]);
          expect(await ipvs.realServers(web)).toHaveLength(5);
        }
        expect(await ipvs.realServers(web, new Set())).toEqual([]);
      });

      test('a weight is changed in place', async () => {
        add(web, one, two);
        expect(
          write({
            kind: 'updateRealServer',
            virtualServer: web,
            realServer: { ...two, weight: 0 },
          }),
        ).toEqual([]);
        const weights = (await ipvs.realServers(web)).map(
          ({ address, weight }) => `${address} ${weight}`,
        );
        expect(weights.sort()).toEqual(['10.0.0.1 1', '10.0.0.2 0']);
      });
    });

    test.each<[string, readonly IpvsWrite[], readonly string[]]>([
      ['a second virtual server', [{ kind: 'addVirtualServer', virtualServer: web }], ['0 EEXIST']],
      [
        'a second real server',
        [{ kind: 'addRealServer', virtualServer: web, realServer: one }],
        ['0 EEXIST'],
      ],
      [
        'a change of a virtual server that is not there',
        [{ kind: 'updateVirtualServer', virtualServer: web6 }],
        ['0 ESRCH'],
      ],
      [
        'taking away a virtual server that is not there',
        [{ kind: 'deleteVirtualServer', virtualServer: web6 }],
        ['0 ESRCH'],
      ],
      [
        'a real server of a virtual server that is not there',
        [
          { kind: 'addRealServer', virtualServer: web6, realServer: realServer('fd00:10::1') },
          { kind: 'updateRealServer', virtualServer: web6, realServer: realServer('fd00:10::1') },
          { kind: 'deleteRealServer', virtualServer: web6, realServer: realServer('fd00:10::1') },
        ],
        ['0 ESRCH', '1 ESRCH', '2 ESRCH'],
      ],
      [
        'a real server that is not there',
        [
          { kind: 'updateRealServer', virtualServer: web, realServer: two },
          { kind: 'deleteRealServer', virtualServer: web, realServer: two },
        ],
        ['0 ENOENT', '1 ENOENT'],
      ],
      [
        'an unknown scheduler',
        [
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('172.30.0.9', { scheduler: 'nosuch' }),
          },
          { kind: 'updateVirtualServer', virtualServer: { ...web, scheduler: 'nosuch' } },
        ],
        ['0 ENOENT', '1 ENOENT'],
      ],
      [
        'an unknown persistence engine',
        [
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('172.30.0.9', { persistenceEngine: 'nosuch' }),
          },
        ],
        ['0 ENOENT'],
      ],
      [
        'names that are too long',
        [
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('172.30.0.9', { scheduler: 'x'.repeat(16) }),
          },
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('172.30.0.9', { persistenceEngine: 'x'.repeat(17) }),
          },
        ],
        ['0 EINVAL', '1 EINVAL'],
      ],
      [
        'an IPv6 client network of no or too many bits',
        [
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('fd00:172:30::9', { prefixLength: 0 }),
          },
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('fd00:172:30::9', { prefixLength: 129 }),
          },
        ],
        ['0 EINVAL', '1 EINVAL'],
      ],
      [
        'numbers that are out of range',
        [
          {
            kind: 'addVirtualServer',
            virtualServer: virtualServer('172.30.0.9', { port: 70_000 }),
          },
          {
            kind: 'addRealServer',
            virtualServer: web,
            realServer: realServer('10.0.0.3', { port: -1 }),
          },
          {
            kind: 'addRealServer',
            virtualServer: web,
            realServer: realServer('10.0.0.3', { weight: -1 }),
          },
          {
            kind: 'addRealServer',
            virtualServer: web,
            realServer: realServer('10.0.0.3', { weight: 2 ** 31 }),
          },
          { kind: 'updateRealServer', virtualServer: web, realServer: { ...one, weight: -1 } },
        ],
        ['0 ERANGE', '1 ERANGE', '2 ERANGE', '3 ERANGE', '4 ERANGE'],
      ],
      [
        'a lower threshold above the upper one',
        [
          {
            kind: 'addRealServer',
            virtualServer: web,
            realServer: realServer('10.0.0.3', { lowerThreshold: 2, upperThreshold: 1 }),
          },
        ],
        ['0 ERANGE'],
      ],
      [
        'a masqueraded real server of the other family',
        [{ kind: 'addRealServer', virtualServer: web, realServer: realServer('fd00:10::1') }],
        ['0 EINVAL'],
      ],
      [
        'an address that no host has',
        ['0.0.0.0', '224.0.0.1', '255.255.255.255'].map(
          (text): IpvsWrite => ({
            kind: 'addRealServer',
            virtualServer: web,
            realServer: realServer(text),
          }),
        ),
        ['0 EINVAL', '1 EINVAL', '2 EINVAL'],
      ],
    ])('%s is refused, and what comes after it is done', async (_, batch, codes) => {
      add(web, one);
      const after = virtualServer('172.30.0.77');
      expect(write(...batch, { kind: 'addVirtualServer', virtualServer: after })).toEqual(codes);
      const virtualServers = (await ipvs.virtualServers()).map(({ address }) => address);
      expect(virtualServers.sort()).toEqual([web.address, after.address]);
      expect(await ipvs.realServers(web)).toHaveLength(1);
    });

    test('IPv6 addresses that no host has are refused', () => {
      add(web6);
      const batch = ['::', 'ff02::1', 'fe80::1'].map(
        (text): IpvsWrite => ({
          kind: 'addRealServer',
          virtualServer: web6,
          realServer: realServer(text),
        }),
      );
      expect(write(...batch)).toEqual(['0 EINVAL', '1 EINVAL', '2 EINVAL']);
    });

    test('a failure says what was tried', () => {
      const [failure] = ipvs.write([
        { kind: 'addRealServer', virtualServer: web, realServer: one },
      ]);
      expect(failure?.error.message).toBe(
        'add real server 10.0.0.1:80 to 172.30.0.1:443/TCP: ESRCH',
      );
    });

    test('a batch that is larger than one send keeps its order and its indexes', async () => {
      const batch: IpvsWrite[] = [{ kind: 'addVirtualServer', virtualServer: web }];
      for (let index = 1; index <= 300; index++) {
        batch.push({
          kind: 'addRealServer',
          virtualServer: web,
          realServer: realServer(`10.0.${index >> 8}.${index & 255}`),
        });
      }
      batch[100] = { kind: 'addRealServer', virtualServer: web6, realServer: one };
      batch[250] = batch[249] as IpvsWrite;
      expect(write(...batch)).toEqual(['100 ESRCH', '250 EEXIST']);
      expect(await ipvs.realServers(web)).toHaveLength(298);
      expect(harness.readBack()).toHaveLength(299);
    });

    test('a write during a dump is a mistake of the program', async () => {
      ipvs.write([{ kind: 'addVirtualServer', virtualServer: web }]);
      for (const dump of [() => ipvs.virtualServers(), () => ipvs.realServers(web)]) {
        const reading = dump();
        expect(() => ipvs.write([])).toThrow('a write during a dump');
        await reading;
        expect(ipvs.write([])).toEqual([]);
      }
    });

    test('the version and the size of the connection table are told', () => {
      const { version, connectionTableSize } = ipvs.info();
      expect(version).toMatch(/^1\.\d+\.\d+$/);
      expect(Math.log2(connectionTableSize) % 1).toBe(0);
    });

    test('timeouts are set, and 0 keeps one as it is', () => {
      ipvs.setTimeouts({ tcp: 800, tcpFin: 110, udp: 290 });
      ipvs.setTimeouts({ tcp: 900, tcpFin: 0, udp: 0 });
      expect(ipvs.timeouts()).toEqual({ tcp: 900, tcpFin: 110, udp: 290 });
      const outrageous = () => ipvs.setTimeouts({ tcp: 0x7fffffff, tcpFin: 0, udp: 0 });
      expect(outrageous).toThrow('set IPVS timeouts: EINVAL');
    });
  });
}
