import { afterEach, describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { keptSettings } from '../../../test/support/settings.ts';
import type { IpvsConnection } from '../../connections/connections.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { Logger } from '../../log/log.ts';
import { silentLogger } from '../../log/memory.ts';
import { printChallenge } from '../../reset/reset.ts';
import { seconds } from '../../runner/clock.ts';
import type { DrainMode } from './policy.ts';

// The end of a drain, by way of the client reset: who is challenged, and what if something fails.

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const dying = { ...two, ready: false, serving: false, terminating: true };
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function start({
  log = silentLogger,
  mode = 'pod',
  expiresConnections = true,
}: {
  log?: Logger;
  mode?: DrainMode;
  expiresConnections?: boolean;
} = {}) {
  const kernel = new FakeKernel();
  const { conntrack, connections, ipvs, resetter } = kernel;
  const settings = { ...keptSettings, expiresConnections };
  const stand = new Stand({
    kernel,
    log,
    settings,
    resetsWaitingClients: true,
    drains: { mode, timeout: 0 },
  });
  const skipped = () => stand.reports.resets.filter((line) => line.startsWith('skipped'));
  ends.push(() => stand.stop());
  stand.report(setService(service()), setSlice(slice([one, two])));
  await stand.sync();
  // Flows that came before the virtual server are looked for: the next dump may begin a second later.
  await stand.settle(seconds(1));
  const tuple = { source: ip('10.0.1.1'), destination: web.address };
  conntrack.insert({
    protocol: 'TCP',
    original: { ...tuple, sourcePort: 1024, destinationPort: 80 },
    reply: {
      source: two.address,
      destination: tuple.source,
      sourcePort: 8080,
      destinationPort: 1024,
    },
    zone: 0,
    mark: 0,
    status: 0,
    tcpState: 'ESTABLISHED',
  });
  ipvs.setCounters(web, { address: two.address, port: 8080 }, { activeConnections: 1 });
  const challenged = () => resetter.challenged.map(printChallenge);
  return { stand, conntrack, connections, ipvs, resetter, skipped, challenged };
}

/** The second endpoint dies, and is back when the dump that looks for its clients has ended. */
async function loseForTheTimeOfADump(stand: Stand): Promise<void> {
  const { conntrack } = stand.kernel;
  const dump = conntrack.dump.bind(conntrack);
  conntrack.dump = async (filter, onFlow) => {
    await dump(filter, onFlow);
    stand.report(setSlice(slice([one, two])));
    await stand.clock.advance(0);
  };
  await lose(stand);
  await stand.settle(seconds(5));
}

async function weight({ kernel }: Stand): Promise<number | undefined> {
  return (await kernel.ipvs.realServers(web)).find(({ address }) => address === two.address)
    ?.weight;
}

async function isThere(stand: Stand): Promise<boolean> {
  return (await weight(stand)) !== undefined;
}

/** The pod of `two` dies, and then it is gone. */
async function lose(stand: Stand): Promise<void> {
  stand.report(setSlice(slice([one, dying])));
  await stand.settle(seconds(5));
  stand.report(setSlice(slice([one])));
  await stand.settle(550);
}

describe('a real server whose pod is gone', () => {
  test('is deleted, and its client reset', async () => {
    const { stand, challenged } = await start();
    await lose(stand);
    expect([await isThere(stand), stand.reports.drains, challenged()]).toEqual([
      false,
      ['podGone'],
      [],
    ]);
    await stand.settle(150);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });

  test('is deleted when its clients cannot be found', async () => {
    const { stand, conntrack, challenged } = await start();
    conntrack.failWith = ({ call }) => (call === 'dump' ? 'EPERM' : undefined);
    await lose(stand);
    expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
    await stand.settle(seconds(1));
    expect(challenged()).toEqual([]);
  });

  test('is deleted, and a client reset that conntrack has forgotten', async () => {
    const { stand, connections, ipvs, skipped, challenged } = await start();
    connections.insert({
      protocol: 'TCP',
      client: ip('203.0.113.7'),
      clientPort: 2048,
      state: 'ESTABLISHED',
      address: web.address,
      port: 80,
      realAddress: two.address,
      realPort: 8080,
    });
    const realServer = { address: two.address, port: 8080 };
    ipvs.setCounters(web, realServer, { activeConnections: 5 });
    await lose(stand);
    await stand.settle(seconds(1));
    expect(await isThere(stand)).toBe(false);
    expect(challenged()).toEqual([
      '172.30.0.1:80 > 10.0.1.1:1024',
      '172.30.0.1:80 > 203.0.113.7:2048',
    ]);
    expect(skipped()).toEqual(['skipped 3']);
  });

  test('that cannot be deleted is tried again, and its client reset when it is', async () => {
    const { stand, ipvs, challenged } = await start();
    ipvs.fail = ({ kind }) => (kind === 'deleteRealServer' ? 'EBUSY' : undefined);
    await lose(stand);
    await stand.settle(seconds(20));
    expect([await isThere(stand), challenged()]).toEqual([true, []]);
    ipvs.fail = undefined;
    await stand.settle(seconds(6));
    expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });

  test('and that comes back before it is deleted keeps its client', async () => {
    const { stand, challenged } = await start();
    await loseForTheTimeOfADump(stand);
    expect([await isThere(stand), stand.reports.drains, challenged()]).toEqual([
      true,
      ['wanted'],
      [],
    ]);
  });

  test('while the program stops stays, for the next start', async () => {
    const { stand, conntrack } = await start();
    let stopped: Promise<void> | undefined;
    conntrack.dump = async () => {
      stopped = stand.stop();
    };
    await lose(stand);
    await stopped;
    expect([await isThere(stand), stand.reports.drains]).toEqual([true, ['shutdown']]);
  });
});

describe('a real server whose address another pod has', () => {
  const successor = { ...two, podUid: packUid('another') };

  test.each(['pod', 'connections'] as const)(
    'is deleted at once, its client challenged, and the other pod served (%s)',
    async (mode) => {
      const { stand, challenged } = await start({ mode });
      stand.report(setSlice(slice([one, successor])));
      await stand.settle();
      expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
      await stand.settle(50);
      expect(await weight(stand)).toBe(1);
      await stand.settle(50);
      expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
      await stand.settle(seconds(60));
      expect([await weight(stand), stand.reports.drains]).toEqual([1, ['podGone']]);
    },
  );

  test.each(['pod', 'connections'] as const)(
    'is deleted at once, and its client challenged, while it drains (%s)',
    async (mode) => {
      const { stand, challenged } = await start({ mode });
      stand.report(setSlice(slice([one, { ...two, ready: false }])));
      await stand.settle(seconds(5));
      stand.report(setSlice(slice([one, successor])));
      await stand.settle();
      expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
      await stand.settle(100);
      expect([await weight(stand), challenged()]).toEqual([1, ['172.30.0.1:80 > 10.0.1.1:1024']]);
    },
  );

  test('is deleted when conntrack may be read again, where it was read a moment ago', async () => {
    const { stand, ipvs, conntrack, challenged } = await start();
    ipvs.setCounters(web, { address: one.address, port: 8080 }, { activeConnections: 1 });
    const dumps = conntrack.calls.dump;
    const other = { ...one, podUid: packUid('yet another') };
    stand.report(setSlice(slice([other, two])));
    await stand.settle();
    expect([stand.reports.drains, conntrack.calls.dump - dumps]).toEqual([['podGone'], 1]);
    stand.report(setSlice(slice([other, successor])));
    await stand.settle(900);
    expect([await weight(stand), challenged()]).toEqual([0, []]);
    await stand.settle(200);
    expect([await weight(stand), challenged()]).toEqual([1, ['172.30.0.1:80 > 10.0.1.1:1024']]);
    expect([stand.reports.drains.length, conntrack.calls.dump - dumps]).toEqual([2, 2]);
  });

  test('is deleted at once while its clients wait to be looked up', async () => {
    const { stand, conntrack, challenged } = await start();
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(seconds(5));
    stand.report(setSlice(slice([one])));
    await stand.settle(510);
    expect(await weight(stand)).toBe(0);
    const dumps = conntrack.calls.dump;
    stand.report(setSlice(slice([one, successor])));
    await stand.settle();
    expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
    await stand.settle(2_000);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
    expect([await weight(stand), conntrack.calls.dump - dumps]).toEqual([1, 1]);
  });

  test('stays as it is while that one is in another Service, which proves nothing', async () => {
    const { stand, challenged } = await start();
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(seconds(5));
    stand.report(setSlice(slice([successor], { name: 'db-1', serviceName: 'db' })));
    await stand.settle(seconds(5));
    expect([await weight(stand), stand.reports.drains, challenged()]).toEqual([0, [], []]);
  });

  test('is deleted at once if nobody is connected', async () => {
    const { stand, ipvs, conntrack } = await start();
    ipvs.setCounters(web, { address: two.address, port: 8080 }, { activeConnections: 0 });
    const dumps = conntrack.calls.dump;
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(49);
    expect([await isThere(stand), conntrack.calls.dump - dumps]).toEqual([false, 0]);
    await stand.settle(1);
    expect(await weight(stand)).toBe(1);
  });

  test('and that gets it back before its clients are looked up keeps them', async () => {
    const { stand, conntrack, challenged } = await start();
    conntrack.dump = async () => stand.report(setSlice(slice([one, two])));
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(seconds(5));
    expect([await weight(stand), challenged()]).toEqual([1, []]);
  });

  test('and that cannot be deleted is tried again, and the other pod is not served before', async () => {
    const { stand, ipvs, challenged } = await start();
    ipvs.fail = ({ kind }) => (kind === 'deleteRealServer' ? 'EBUSY' : undefined);
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(seconds(18));
    expect([await weight(stand), challenged()]).toEqual([0, []]);
    ipvs.fail = undefined;
    await stand.settle(seconds(8));
    expect([await weight(stand), stand.reports.drains]).toEqual([1, ['podGone']]);
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });
});

describe('where IPVS keeps the connections of a deleted real server', () => {
  const entry: IpvsConnection = {
    protocol: 'TCP',
    client: ip('10.0.1.1'),
    clientPort: 1024,
    state: 'ESTABLISHED',
    address: web.address,
    port: 80,
    realAddress: two.address,
    realPort: 8080,
  };
  const realServer = { address: two.address, port: 8080 };

  /** Two connections, one that is over but for its last packets, one that is closed, and a persistence template. */
  async function startWithEntries() {
    const started = await start({ expiresConnections: false });
    const { connections, ipvs, resetter, stand } = started;
    connections.insert(entry);
    connections.insert({ ...entry, clientPort: 1025, state: 'TIME_WAIT' });
    connections.insert({ ...entry, clientPort: 1026, state: 'CLOSE' });
    connections.insert({ ...entry, clientPort: 0, state: 'NONE' });
    connections.insert({ ...entry, clientPort: 1027, realAddress: one.address });
    ipvs.setCounters(web, realServer, { activeConnections: 1, inactiveConnections: 2 });
    const before: (boolean | string)[] = [];
    let wasThere: Promise<boolean>[] = [];
    resetter.failWith = ({ clientPort }) => {
      before.push(`${clientPort}`);
      wasThere = [...wasThere, isThere(stand)];
      return undefined;
    };
    return { ...started, before, wereThere: () => Promise.all(wasThere) };
  }

  test('they are closed right before it is deleted, and clients reset when they are forgotten', async () => {
    const { stand, resetter, challenged, wereThere } = await startWithEntries();
    await lose(stand);
    await stand.settle(100);
    expect(resetter.aborted.map(({ clientPort }) => clientPort)).toEqual([1024, 1025]);
    expect([await wereThere(), await isThere(stand)]).toEqual([[true, true], false]);
    await stand.settle(seconds(10));
    expect(challenged()).toEqual([]);
    await stand.settle(seconds(1));
    expect(challenged()).toEqual(['172.30.0.1:80 > 10.0.1.1:1024']);
  });

  test('those of one that is wanted again meanwhile are left alone', async () => {
    const { stand, resetter } = await startWithEntries();
    await loseForTheTimeOfADump(stand);
    expect([await isThere(stand), stand.reports.drains, resetter.aborted]).toEqual([
      true,
      ['wanted'],
      [],
    ]);
  });

  test('one with nothing but closing connections has them closed, too', async () => {
    const { stand, ipvs, resetter } = await startWithEntries();
    ipvs.setCounters(web, realServer, { activeConnections: 0, inactiveConnections: 1 });
    await lose(stand);
    await stand.settle(100);
    expect(resetter.aborted.map(({ clientPort }) => clientPort)).toEqual([1024, 1025]);
    expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
  });

  test('one whose address another pod has is deleted at once all the same', async () => {
    const { stand, resetter } = await startWithEntries();
    stand.report(setSlice(slice([one, { ...two, podUid: packUid('another') }])));
    await stand.settle(0);
    expect(resetter.aborted.map(({ clientPort }) => clientPort)).toEqual([1024, 1025]);
    expect(await isThere(stand)).toBe(false);
  });

  test('it is deleted although they cannot be closed', async () => {
    const { stand, resetter } = await startWithEntries();
    resetter.failWith = () => 'ENOBUFS';
    await lose(stand);
    await stand.settle(100);
    expect([await isThere(stand), stand.reports.drains]).toEqual([false, ['podGone']]);
  });

  test('where IPVS forgets them, nothing is closed', async () => {
    const { stand, resetter, challenged } = await start();
    await lose(stand);
    await stand.settle(seconds(1));
    expect([resetter.aborted, challenged().length]).toEqual([[], 1]);
  });
});
