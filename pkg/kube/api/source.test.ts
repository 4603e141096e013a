import { expect, test } from 'vitest';
import { manualClock } from '../../runner/manual-clock.ts';
import { ProgressBoard, printProgress } from '../../runner/progress.ts';
import { noMetrics } from '../metrics.ts';
import type { Change } from '../types.ts';
import { type FakeCall, FakeClient } from './fake-client.ts';
import { ApiSource } from './source.ts';

const quiet = { info() {}, error() {} };
const end = (kind: string) => ({
  type: 'BOOKMARK',
  object: {
    kind,
    metadata: { resourceVersion: '5', annotations: { 'k8s.io/initial-events-end': 'true' } },
  },
});

test('follows Services, EndpointSlices and our Node, and reports them reduced', async () => {
  const client = new FakeClient();
  const changes: Change[] = [];
  const stop = new AbortController();
  const source = new ApiSource({
    client,
    clock: manualClock(),
    metrics: noMetrics,
    log: quiet,
    nodeName: 'n1',
  });
  const running = source.run((change) => changes.push(change), stop.signal);
  const calls = new Map<string, FakeCall>();
  for (let count = 0; count < 3; count++) {
    const call = await client.call();
    calls.set(call.path, call);
  }
  const selectors = [...calls.values()].map(({ path, query }) => [
    path,
    query['labelSelector'],
    query['fieldSelector'],
  ]);
  const labels = '!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless';
  expect(selectors).toEqual([
    ['/api/v1/services', labels, 'spec.clusterIP!=None'],
    ['/apis/discovery.k8s.io/v1/endpointslices', labels, undefined],
    ['/api/v1/nodes', undefined, 'metadata.name=n1'],
  ]);
  const spec = { clusterIP: '172.30.0.1', ports: [{ port: 80 }, { port: 0 }] };
  const metadata = { name: 'web', namespace: 'shop' };
  calls
    .get('/api/v1/services')
    ?.send(
      { type: 'ADDED', object: { kind: 'Service', metadata, spec } },
      { type: 'ADDED', object: { kind: 'Service', metadata } },
      end('Service'),
    );
  calls.get('/api/v1/services')?.send({ type: 'DELETED', object: { kind: 'Service', metadata } });
  calls
    .get('/api/v1/nodes')
    ?.send({ type: 'ADDED', object: { kind: 'Node', metadata: { name: 'n1' } } }, end('Node'));
  expect(changes).toMatchObject([
    {
      type: 'set',
      kind: 'Service',
      object: { name: 'web', ports: [{ port: 80 }] },
      problems: [{ field: 'spec.ports[1].port' }],
    },
    { type: 'unusable', kind: 'Service', name: metadata, problems: [{ field: 'spec' }] },
    { type: 'synced', kind: 'Service' },
    { type: 'delete', kind: 'Service', name: metadata },
    { type: 'set', kind: 'Node', object: { name: 'n1' } },
    { type: 'synced', kind: 'Node' },
  ]);
  stop.abort();
  await running;
  expect(client.open).toBe(0);
});

test('shows how many objects the first read of a kind has read, and nothing before and after', async () => {
  const client = new FakeClient();
  const progress = new ProgressBoard();
  const stop = new AbortController();
  const options = { client, clock: manualClock(), metrics: noMetrics, log: quiet, nodeName: 'n1' };
  const running = new ApiSource({ ...options, progress }).run(() => {}, stop.signal);
  const shown = () => progress.current.map(printProgress);
  const services = await client.call();
  const slices = await client.call();
  await client.call();
  const added = (kind: string, name: string) => ({
    type: 'ADDED',
    object: { kind, metadata: { name, namespace: 'shop' } },
  });
  expect(shown()).toEqual([]);
  services.send(added('Service', 'one'), added('Service', 'two'));
  slices.send(added('EndpointSlice', 'one'));
  expect(shown()).toEqual(['reading Services: 2', 'reading EndpointSlices: 1']);
  services.send(end('Service'));
  services.send(added('Service', 'three'));
  expect(shown()).toEqual(['reading EndpointSlices: 1']);
  stop.abort();
  await running;
  expect(shown()).toEqual([]);
});
