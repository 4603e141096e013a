import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openObjects } from '../../cmd/kube-proxy/object-source.ts';
import { createReporter } from '../../cmd/kube-proxy/reporter.ts';
import { runAll } from '../../cmd/kube-proxy/run-all.ts';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import { startingEvent } from '../../pkg/kube/events.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { ip } from '../support/addresses.ts';
import { hurriedClock } from '../support/kube/hurried-clock.ts';
import { service, slice } from '../support/kube/objects.ts';
import { Stand } from '../support/proxier.ts';

// What owners of Services read with `kubectl get events`: the program's parts against an API server, over a kernel in memory.

const hurry = 20;
const folder = mkdtempSync(join(tmpdir(), 'events-'));
const stop = new AbortController();
let server: ApiServer;
let stand: Stand;
let ended: Promise<void>;

beforeAll(async () => {
  server = await startApiServer();
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, server.kubeconfig());
  const hurried = hurriedClock(hurry);
  const clock = { ...hurried, advance: (time: number) => pause(time / hurry) };
  const metrics = createMetrics();
  const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
  const config = effective({ ...defaults, 'clientConnection.kubeconfig': kubeconfig }, 'here');
  const objects = await openObjects({ config, log: silentLogger, clock: hurried, metrics });
  objects.record(startingEvent('here'));
  const reporter = createReporter({ metrics, health, clock, record: objects.record });
  const serviceOptionsOf = ({ annotations }: { annotations: Readonly<Record<string, string>> }) =>
    parseServiceAnnotations(annotations, { scheduler: 'rr', hasScheduler: () => true });
  stand = new Stand({ clock, reporter, serviceOptionsOf });
  const follow = (signal: AbortSignal) =>
    objects.source.run((change) => stand.report(change), signal);
  ended = runAll([...objects.parts, follow], stop.signal).finally(() => objects.close());
});

afterAll(async () => {
  stop.abort();
  await Promise.all([ended, stand.stop()]);
  await server.close();
  rmSync(folder, { recursive: true });
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** `Service UID InvalidAnnotation: …`, for each event about an object of that name; `-` for one without a uid. */
function events(name: string): string[] {
  return server.objects('Event').flatMap((event) => {
    const {
      involvedObject: about,
      reason,
      message = '',
    } = event as unknown as {
      involvedObject: { kind: string; name: string; uid?: string };
      reason: string;
      message?: string;
    };
    return about.name === name ? [`${about.kind} ${about.uid ?? '-'} ${reason}: ${message}`] : [];
  });
}

/** The events about an object, once there is one. */
async function eventually(name: string): Promise<string[]> {
  await expect.poll(() => events(name).length).toBeGreaterThan(0);
  return events(name);
}

test('the start is told of the node', async () => {
  expect(await eventually('here')).toEqual(['Node - Starting: ']);
});

test('a wrong annotation is told of its Service', async () => {
  const wrong = service('wrong');
  const annotations = { 'ipvs.kube-proxy.io/drain-timeout': 'soon' };
  const { metadata } = server.create({ ...wrong, metadata: { ...wrong.metadata, annotations } });
  expect(await eventually('wrong')).toEqual([
    `Service ${metadata.uid} InvalidAnnotation: metadata.annotations[ipvs.kube-proxy.io/drain-timeout]: "soon" is not a duration such as 30s or 1h30m, or 0 for no limit`,
  ]);
});

test('connections that were cut are told of their Service', async () => {
  const short = service('short');
  const annotations = { 'ipvs.kube-proxy.io/drain-timeout': '2s' };
  const { metadata, spec } = server.create({
    ...short,
    metadata: { ...short.metadata, annotations },
  });
  server.create(slice('short'));
  const { clusterIP = '' } = spec as { clusterIP?: string };
  const web = { address: ip(clusterIP), protocol: 'TCP', port: 80 } as const;
  const { ipvs } = stand.kernel;
  await expect.poll(() => ipvs.dump()).toContain(`-t ${clusterIP}:80 -r 10.0.0.2:8080`);
  ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, { activeConnections: 3 });
  server.update(slice('short', { count: 1 }));
  expect(await eventually('short')).toEqual([
    `Service ${metadata.uid} ConnectionsCut: 10.0.0.2:8080 was taken out of ${clusterIP}:80/TCP at its drain deadline, with 3 connections left`,
  ]);
});
