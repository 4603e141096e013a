import { afterEach, describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../test/support/objects.ts';
import { FakeKernel, remove, Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { keptSettings } from '../../test/support/settings.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import type { VirtualServerId } from '../ipvs/ipvs.ts';
import { manualClock } from '../runner/manual-clock.ts';

const web: VirtualServerId = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 };
const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const stands: Stand[] = [];

afterEach(async () => {
  const stopped = stands.splice(0);
  for (const stand of stopped) await stand.stop();
  for (const { clock, kernel } of stopped)
    expect([clock.pending(), kernel.links.watching()]).toEqual([0, 0]);
});

function start(over: ConstructorParameters<typeof Stand>[0] = {}): Stand {
  const stand = new Stand(over);
  stands.push(stand);
  return stand;
}

async function started(over: ConstructorParameters<typeof Stand>[0] = {}): Promise<Stand> {
  const stand = start(over);
  stand.report(setService(service()), setSlice(slice([one, two])));
  await stand.sync();
  return stand;
}

function weights({ kernel }: Stand, virtualServer = web): string {
  const lines = kernel.ipvs
    .dump()
    .split('\n')
    .filter((line) => line.includes(`-a -t ${virtualServer.address}:${virtualServer.port} `));
  return lines.map((line) => line.replace(/.*-r (\S+) .*-w (\d+).*/, '$1=$2')).join(' ');
}

describe('the proxier', () => {
  test('writes nothing before everything has been reported', async () => {
    const stand = start();
    stand.report(setService(service()), setSlice(slice([one])));
    await stand.settle(60_000);
    expect(stand.kernel.ipvs.dump()).toBe(new FakeKernel().ipvs.dump());
    await stand.sync();
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(weights(stand)).toBe('10.0.0.1:8080=1');
  });

  test('a Service whose endpoints change one after the other follows them', async () => {
    const stand = await started();
    stand.report(setSlice(slice([one, two, endpoint('10.0.0.3')])));
    await stand.settle();
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=1 10.0.0.3:8080=1');
    stand.report(setSlice(slice([one, endpoint('10.0.0.2', { ready: false, serving: false })])));
    await stand.settle(500);
    expect(weights(stand)).toBe('10.0.0.1:8080=1');
  });

  test('an endpoint that vanishes takes no new connections at once, and is gone after half a second', async () => {
    const stand = await started();
    stand.report(setSlice(slice([one])));
    await stand.settle(499);
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=0');
    await stand.settle(1);
    expect(weights(stand)).toBe('10.0.0.1:8080=1');
  });

  test('one that moves from slice to slice is never absent', async () => {
    const stand = await started();
    stand.report(setSlice(slice([one])));
    await stand.settle(300);
    stand.report(setSlice(slice([two], { name: 'web-2' })));
    await stand.settle(5_000);
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=1');
    expect(stand.kernel.ipvs.calls.deleteRealServer).toBe(0);
  });

  test('a real server with connections drains until they are closed', async () => {
    const stand = await started();
    const realServer = { address: two.address, port: 8080 };
    stand.kernel.ipvs.setCounters(web, realServer, { inactiveConnections: 1 });
    stand.report(setSlice(slice([one, { ...two, ready: false }])));
    await stand.settle(60_000);
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=0');
    expect(stand.proxier.graceful.inTerminationList({ virtualServer: web, realServer })).toBe(true);
    stand.kernel.ipvs.setCounters(web, realServer, { inactiveConnections: 0 });
    await stand.settle(60_000);
    expect(weights(stand)).toBe('10.0.0.1:8080=1');
    expect(stand.proxier.graceful.size).toBe(0);
    expect(stand.reports.repairs).toEqual([]);
  });

  test('a draining real server that is wanted again gets its weight back in place', async () => {
    const stand = await started();
    stand.kernel.ipvs.setCounters(
      web,
      { address: two.address, port: 8080 },
      { activeConnections: 1 },
    );
    stand.report(setSlice(slice([one, { ...two, ready: false }])));
    await stand.settle();
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=0');
    stand.report(setSlice(slice([one, two])));
    await stand.settle();
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=1');
    expect([stand.proxier.graceful.size, stand.kernel.ipvs.calls.deleteRealServer]).toEqual([0, 0]);
  });

  test('a Service that goes: weight 0, its real servers, and five seconds later the rest', async () => {
    const stand = await started();
    const before = stand.kernel.links.dump();
    stand.report(remove('Service', 'web'));
    await stand.settle(4_999);
    expect(weights(stand)).toBe('');
    expect(stand.kernel.ipvs.virtualServer(web)).toBeDefined();
    expect(stand.kernel.links.dump()).toBe(before);
    await stand.settle(1);
    expect(stand.kernel.ipvs.virtualServer(web)).toBeUndefined();
    expect(stand.kernel.links.dump()).not.toContain('172.30.0.1');
    expect(stand.kernel.ipsets.dump()).not.toContain('172.30.0.1');
  });

  test('a restart changes nothing that is right, and takes away what is left over', async () => {
    const first = await started();
    first.report(setService(service({ name: 'old', clusterIPs: [ip('172.30.0.9')] })));
    await first.settle();
    const before = first.kernel.dump();
    await first.stop();
    first.kernel.ipvs.resetCalls();

    const second = await started({ kernel: first.kernel, clock: first.clock });
    expect(second.kernel.dump()).toBe(before);
    expect(second.kernel.ipvs.calls.write).toBe(0);
    await second.settle(5_000);
    expect(second.kernel.dump()).not.toContain('172.30.0.9');
    expect(weights(second)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=1');
  });

  test('node addresses that come and go carry node ports', async () => {
    const stand = start();
    stand.report(
      setService(service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] })),
      setSlice(slice([one])),
    );
    await stand.sync();
    stand.kernel.links.addAddress({ link: 'eth0', address: ip('192.168.0.11'), prefixLength: 24 });
    await stand.settle();
    expect(stand.kernel.ipvs.dump()).toContain('192.168.0.11:30080');
    stand.kernel.links.removeAddress({ link: 'eth0', address: ip('192.168.0.11') });
    await stand.settle();
    expect(stand.kernel.ipvs.dump()).not.toContain('192.168.0.11:30080');
    expect(stand.kernel.ipvs.dump()).toContain('192.168.0.10:30080');
  });

  test('of two Services with one address the loser takes over when the winner goes, and it is said once', async () => {
    const stand = await started();
    stand.report(setService(service({ name: 'rival', created: 2 })));
    stand.report(
      setSlice(slice([endpoint('10.0.0.9')], { name: 'rival-1', serviceName: 'rival' })),
    );
    await stand.settle();
    expect(weights(stand)).toBe('10.0.0.1:8080=1 10.0.0.2:8080=1');
    expect(stand.reports.conflicts.length).toBe(1);
    expect([...stand.reports.claimsLost]).toEqual([['shop/rival', 1]]);
    stand.report(remove('Service', 'web'));
    await stand.settle();
    expect(weights(stand)).toBe('10.0.0.9:8080=1');
    expect([...stand.reports.claimsLost]).toEqual([]);
  });

  test('what fails is tried again until it works, and everything else works meanwhile', async () => {
    const kernel = new FakeKernel();
    let isBroken = true;
    kernel.links.failWith = ({ call, ...rest }) =>
      isBroken && call === 'write' && JSON.stringify(rest).includes('172.30.0.1"')
        ? 'EIO'
        : undefined;
    const stand = start({ kernel });
    stand.report(
      setService(service()),
      setService(service({ name: 'db', clusterIPs: [ip('172.30.0.2')] })),
      setSlice(slice([one])),
    );
    await stand.sync();
    expect(kernel.links.dump()).toContain('172.30.0.2');
    expect(kernel.links.dump()).not.toContain('172.30.0.1/');
    isBroken = false;
    await stand.settle(1_000);
    expect(kernel.links.dump()).toContain('172.30.0.1/');
  });
});

describe('the audit', () => {
  test('looks at the settings of the kernel', async () => {
    const looks: number[] = [];
    const clock = manualClock();
    await started({
      clock,
      settings: { ...keptSettings, restore: () => void looks.push(clock.now()) },
    });
    const before = looks.length;
    await clock.advance(90_000);
    expect(looks.length - before).toBe(3);
  });

  const hands: readonly (readonly [string, (kernel: FakeKernel) => void])[] = [
    [
      'a deleted virtual server',
      ({ ipvs }) => void ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]),
    ],
    [
      'a deleted real server',
      ({ ipvs }) =>
        void ipvs.write([
          {
            kind: 'deleteRealServer',
            virtualServer: web,
            realServer: { address: ip('10.0.0.1'), port: 8080 },
          },
        ]),
    ],
    [
      'a deleted entry',
      ({ ipsets }) =>
        void ipsets.write([
          {
            kind: 'deleteEntry',
            set: 'KUBE-CLUSTER-IP',
            entry: { type: 'hash:ip,port', ip: ip('172.30.0.1'), protocol: 'TCP', port: 80 },
          },
        ]),
    ],
    [
      'a foreign entry',
      ({ ipsets }) =>
        void ipsets.write([
          {
            kind: 'addEntry',
            set: 'KUBE-CLUSTER-IP',
            entry: { type: 'hash:ip,port', ip: ip('172.30.9.9'), protocol: 'TCP', port: 80 },
          },
        ]),
    ],
    [
      'an unbound address',
      ({ links }) =>
        void links.write([
          { kind: 'unbindAddress', link: 'kube-ipvs0', address: ip('172.30.0.1') },
        ]),
    ],
    [
      'a foreign address',
      ({ links }) =>
        void links.write([{ kind: 'bindAddress', link: 'kube-ipvs0', address: ip('172.30.9.9') }]),
    ],
    ['the deleted device', ({ links }) => links.deleteLink('kube-ipvs0')],
    [
      'a flushed chain',
      ({ firewall }) => firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' }),
    ],
    [
      'a changed weight',
      ({ ipvs }) =>
        void ipvs.write([
          {
            kind: 'updateRealServer',
            virtualServer: web,
            realServer: {
              address: ip('10.0.0.1'),
              port: 8080,
              weight: 7,
              forwarding: 'masquerade',
              upperThreshold: 0,
              lowerThreshold: 0,
            },
          },
        ]),
    ],
  ];

  test.each(hands)('repairs %s, counts it and touches nothing else', async (_, hand) => {
    const stand = await started();
    const before = stand.kernel.dump();
    hand(stand.kernel);
    expect(stand.kernel.dump()).not.toBe(before);
    await stand.settle(30_000);
    expect(stand.kernel.dump()).toBe(before);
    expect(stand.reports.repairs.length).toBeGreaterThan(0);
    expect(stand.reports.repairs.length).toBeLessThan(5);
  });

  test('finds nothing to do when nothing differs', async () => {
    const stand = await started();
    await stand.settle(95_000);
    expect(stand.reports.repairs).toEqual([]);
    expect(stand.kernel.firewall.applies).toEqual({ IPv4: 1, IPv6: 1 });
  });

  test('leaves virtual servers alone that are not ours', async () => {
    const kernel = new FakeKernel();
    const foreign = { address: ip('203.0.113.1'), protocol: 'TCP', port: 25 } as const;
    kernel.ipvs.write([
      {
        kind: 'addVirtualServer',
        virtualServer: virtualServerOf(foreign.address, foreign),
      },
    ]);
    const stand = await started({ kernel });
    await stand.settle(60_000);
    expect(kernel.ipvs.virtualServer(foreign)).toBeDefined();
  });
});
