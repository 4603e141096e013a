import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { FakeIpvs } from '../../ipvs/fake.ts';
import type { RealServer } from '../../ipvs/ipvs.ts';
import { recordingLogger } from '../../log/memory.ts';
import { minutes } from '../../runner/clock.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { Mutex } from '../../runner/mutex.ts';
import { anyPod } from '../desired/pod-identity.ts';
import { detached } from './context.ts';
import { uniqueRS } from './list.ts';
import { GracefulTerminationManager } from './manager.ts';
import { plainApply } from './plain-apply.ts';

// The manager by itself, as the README shows it.

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const realServer: RealServer = {
  address: ip('10.0.0.1'),
  port: 8080,
  weight: 1,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
};
const ends = { virtualServer, realServer };
const request = { ...ends, podUid: anyPod };

function start() {
  const ipvs = new FakeIpvs();
  const mutex = new Mutex();
  const clock = manualClock();
  const log = recordingLogger({ verbosity: 2 });
  const parameters = { scheduler: 'rr', flags: 0, timeout: 0, prefixLength: 32 };
  ipvs.write([
    {
      kind: 'addVirtualServer',
      virtualServer: { ...virtualServer, ...parameters, persistenceEngine: '' },
    },
    { kind: 'addRealServer', virtualServer, realServer },
  ]);
  ipvs.setCounters(virtualServer, realServer, { activeConnections: 1 });
  const manager = new GracefulTerminationManager({
    ipvs,
    apply: plainApply(ipvs),
    mutex,
    clock,
    log,
    mode: 'pod',
    contextOf: () => detached,
  });
  const stop = new AbortController();
  const run = manager.run(stop.signal);
  const end = async () => {
    stop.abort();
    await run;
  };
  const weights = async () => (await ipvs.realServers(virtualServer)).map(({ weight }) => weight);
  return { ipvs, mutex, clock, log, manager, weights, end };
}

test('a real server gets weight 0, drains, and is deleted when it is empty', async () => {
  const { ipvs, mutex, clock, log, manager, weights, end } = start();
  await mutex.run((token) => manager.gracefulDeleteRS([request], token));
  expect([await weights(), manager.inTerminationList(ends)]).toEqual([[0], true]);
  await clock.advance(minutes(5));
  ipvs.setCounters(virtualServer, realServer, { activeConnections: 0 });
  await clock.advance(minutes(1));
  expect([await weights(), manager.inTerminationList(ends)]).toEqual([[], false]);
  expect(log.lines().join('\n')).toContain(`"realServer":"${uniqueRS(ends)}","end":"empty"`);
  await end();
});

test('one that is wanted again gets its weight back, and keeps its connections', async () => {
  const { ipvs, mutex, clock, manager, weights, end } = start();
  await mutex.run((token) => manager.gracefulDeleteRS([request], token));
  await mutex.run((token) => manager.moveRSOutOfGracefulDeleteList(ends, token));
  await clock.advance(minutes(60));
  expect([await weights(), manager.size, ipvs.calls.deleteRealServer]).toEqual([[1], 0, 0]);
  await end();
});

test('one that is not on the list cannot leave it', async () => {
  const { mutex, manager, end } = start();
  const leave = mutex.run((token) => manager.moveRSOutOfGracefulDeleteList(ends, token));
  await expect(leave).rejects.toThrow(
    '172.30.0.1:80/TCP/10.0.0.1:8080 is not on the termination list',
  );
  await end();
});

test('one whose weight cannot be set does not enter the list', async () => {
  const { ipvs, mutex, manager, weights, end } = start();
  ipvs.fail = () => 'EBUSY';
  const failed = await mutex.run((token) => manager.gracefulDeleteRS([request], token));
  expect([failed.length, manager.size, await weights()]).toEqual([1, 0, [1]]);
  await end();
});

test('what drains when it ends stays at weight 0', async () => {
  const { mutex, manager, weights, end } = start();
  await mutex.run((token) => manager.gracefulDeleteRS([request], token));
  await end();
  expect([await weights(), manager.size]).toEqual([[0], 0]);
});

test('the README shows it as it is done here', () => {
  const readme = readFileSync('pkg/proxy/graceful/README.md', 'utf8');
  const here = readFileSync('pkg/proxy/graceful/standalone.test.ts', 'utf8').replace(/\s+/g, '');
  const [, example = ''] = /```ts\n([^]*?)const run/.exec(readme) ?? [];
  expect(here).toContain(example.replace(/\s+/g, ''));
});
