import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults, type Settings } from '../../pkg/config/fields.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import type { KubeEvent } from '../../pkg/kube/events.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { runAll } from './run-all.ts';
import { createServers } from './servers.ts';

/** A port of loopback that somebody else listens on until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

function start(settings: Partial<Settings>) {
  const clock = manualClock();
  const log = recordingLogger();
  const events: KubeEvent[] = [];
  const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
  const parts = createServers({
    config: effective({ ...defaults, ...settings }, 'node-1'),
    health,
    metrics: createMetrics(),
    clock,
    log,
    record: (event) => events.push(event),
    isNodeAddress: () => false,
    status: {
      isOpen: false,
      answer: async () => ({ json: '{}' }),
      explain: async () => ({ format: 'json', body: '{}' }),
      page: async () => ({ html: '<p>', contentSecurityPolicy: "default-src 'none'" }),
    },
    progress: new ProgressBoard(),
    setVerbosity: (level) => log.setVerbosity(level),
  });
  const stop = new AbortController();
  const ended = runAll(parts, stop.signal).then(
    () => 'ended',
    (error: Error) => error.message,
  );
  onTestFinished(() => stop.abort());
  return { clock, log, events, ended, stop };
}

const nowhere = { healthzBindAddress: '', metricsBindAddress: '' };

test.each([
  ['healthzBindAddress', 'health server', 'FailedToStartProxierHealthcheck'],
  ['metricsBindAddress', 'metrics server', 'FailedToStartMetricServer'],
] as const)(
  '%s that is taken ends the program if it is to, with an event',
  async (field, name, reason) => {
    const where = `127.0.0.1:${await takenPort()}`;
    const { clock, events, ended } = start({
      ...nowhere,
      [field]: where,
      bindAddressHardFail: true,
    });
    await expect.poll(() => events.length).toBe(1);
    await clock.advance(1_000);
    expect(await ended).toBe(`${name} cannot listen on ${where}`);
    expect(events).toMatchObject([
      {
        type: 'Warning',
        reason,
        action: 'StartKubeProxy',
        regarding: { kind: 'Node', name: 'node-1' },
        note: expect.stringContaining('EADDRINUSE'),
      },
    ]);
  },
);

test('otherwise listening is tried again', async () => {
  const where = `127.0.0.1:${await takenPort()}`;
  const { log, events, ended, stop } = start({ ...nowhere, metricsBindAddress: where });
  await expect.poll(() => log.lines().length).toBe(1);
  expect(log.lines()[0]).toContain('metrics server cannot listen, retrying');
  stop.abort();
  expect([await ended, events]).toEqual(['ended', []]);
});
