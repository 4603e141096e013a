import { afterEach, describe, expect, test } from 'vitest';
import { dumpsByMinute } from '../../../test/support/drain-dumps.ts';
import { one, start, stopStands, two, web } from '../../../test/support/draining.ts';
import { endpoint, slice } from '../../../test/support/objects.ts';
import { setSlice } from '../../../test/support/proxier.ts';
import { FakeIpvs } from '../../ipvs/fake.ts';
import type { RealServer, VirtualServer, VirtualServerId } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import { recordingLogger } from '../../log/memory.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { Mutex } from '../../runner/mutex.ts';
import { GracefulTerminationManager } from './manager.ts';
import { plainApply } from './plain-apply.ts';

afterEach(stopStands);

describe('what it costs', () => {
  test('nothing while nothing drains, and one dump of a virtual server in each interval, however many drain', async () => {
    const pods = Array.from({ length: 50 }, (_, index) => endpoint(`10.0.1.${index + 1}`));
    const stand = await start({ syncPeriod: minutes(600) });
    stand.report(setSlice(slice([one, ...pods])));
    await stand.settle(minutes(5));
    stand.kernel.ipvs.resetCalls();
    await stand.settle(minutes(5));
    expect(stand.kernel.ipvs.calls.realServers).toBe(0);
    for (const { address } of pods)
      stand.kernel.ipvs.setCounters(web, { address, port: 8080 }, { activeConnections: 1 });
    stand.report(setSlice(slice([one, ...pods.map((pod) => ({ ...pod, ready: false }))])));
    await stand.settle(minutes(10));
    expect(stand.proxier.graceful.size).toBe(50);
    // 0, 1, 2, 4, 8, 16, 32, 64 s, then each minute.
    expect(stand.kernel.ipvs.calls.realServers).toBeLessThanOrEqual(17);
  });

  test.each([
    [{ drains: 0, virtualServers: 10 }, [0, 0, 0]],
    // After 0, 1, 2, 4, 8, 16 and 32 s.
    [{ drains: 10, virtualServers: 10 }, [70, 10, 10]],
    [{ drains: 10, virtualServers: 1 }, [7, 1, 1]],
  ])('dumps in each minute with %o', async (load, dumps) => {
    expect(await dumpsByMinute(load, 3)).toEqual(dumps);
  });

  test('a bounded number of dumps a second, with 2,000 virtual servers that drain at once', async () => {
    const ipvs = new FakeIpvs();
    const clock = manualClock();
    const log = recordingLogger();
    const mutex = new Mutex();
    const manager = new GracefulTerminationManager({
      ipvs,
      clock,
      log,
      mutex,
      mode: 'pod',
      apply: plainApply(ipvs),
      contextOf: () => ({
        isWanted: false,
        cause: 'endpoint',
        pod: 'alive',
        timeout: 0,
        scheduler: 'rr',
        isExposed: false,
        isAddressGone: false,
      }),
    });
    const stop = new AbortController();
    const run = manager.run(stop.signal);
    const requests = Array.from({ length: 2_000 }, (_, index) => {
      const virtualServer = { ...web, port: index + 1 };
      const realServer = { ...idleRealServer, address: two.address };
      ipvs.write([
        { kind: 'addVirtualServer', virtualServer: { ...idleVirtualServer, ...virtualServer } },
        { kind: 'addRealServer', virtualServer, realServer },
      ]);
      ipvs.setCounters(virtualServer, realServer, { activeConnections: 1 });
      return { virtualServer, realServer, podUid: packUid('two') };
    });
    await mutex.run((token) => manager.gracefulDeleteRS(requests, token));
    expect(manager.size).toBe(2_000);
    const perSecond: number[] = [];
    for (let second = 0; second < 90; second++) {
      ipvs.resetCalls();
      await clock.advance(seconds(1));
      perSecond.push(ipvs.calls.realServers);
    }
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(550);
    // Each of them is looked at all the same, again and again.
    const total = perSecond.reduce((sum, dumps) => sum + dumps);
    expect(total).toBeGreaterThan(10_000);
    for (const { virtualServer, realServer } of requests)
      ipvs.setCounters(virtualServer, realServer, { activeConnections: 0 });
    await clock.advance(seconds(80));
    expect(manager.size).toBe(0);
    ipvs.resetCalls();
    await clock.advance(minutes(60));
    expect(ipvs.calls.realServers).toBe(0);
    stop.abort();
    await run;
  });
  test('of one virtual server with thousands of drains that are over, a bounded number is deleted at once', async () => {
    const pods = Array.from({ length: 2000 }, (_, index) =>
      endpoint(`10.0.${1 + (index >> 8)}.${index & 255}`),
    );
    const stand = await start({ syncPeriod: minutes(600) });
    stand.report(setSlice(slice([one, ...pods])));
    await stand.settle(seconds(1));
    const { ipvs } = stand.kernel;
    const write = ipvs.write.bind(ipvs);
    const deletions: number[] = [];
    ipvs.write = (batch) => {
      deletions.push(batch.filter(({ kind }) => kind === 'deleteRealServer').length);
      return write(batch);
    };
    stand.report(setSlice(slice([one])));
    await stand.settle(seconds(5));
    expect(Math.max(...deletions)).toBeLessThanOrEqual(500);
    expect(deletions.reduce((sum, count) => sum + count)).toBe(2000);
    expect(stand.proxier.graceful.size).toBe(0);
  });
});

const idleRealServer: Omit<RealServer, 'address'> = {
  port: 8080,
  weight: 0,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
};

const idleVirtualServer: Omit<VirtualServer, keyof VirtualServerId> = {
  scheduler: 'rr',
  flags: 0,
  timeout: 0,
  prefixLength: 32,
  persistenceEngine: '',
};
