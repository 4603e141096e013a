import { afterEach, beforeEach, expect, test } from 'vitest';
import { minutes, seconds } from '../runner/clock.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { ApiError, ConnectionError } from './api/error.ts';
import { FakeClient } from './api/fake-client.ts';
import { EventRecorder, type KubeEvent, startingEvent } from './events.ts';
import { noMetrics } from './metrics.ts';

let clock: ManualClock;
let client: FakeClient;
let stop: AbortController;
let running: Promise<void>;
let recorder: EventRecorder;
let dropped: number;

beforeEach(() => {
  clock = manualClock();
  client = new FakeClient();
  stop = new AbortController();
  dropped = 0;
  const metrics = { ...noMetrics, eventsDropped: (count: number) => void (dropped += count) };
  recorder = new EventRecorder({
    client,
    clock,
    metrics,
    log: { info() {}, error() {} },
    hostName: 'machine-1',
    random: () => 0,
  });
  running = recorder.run(stop.signal);
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending()).toBe(0);
});

const warning = (name: string, note = 'x'): KubeEvent => ({
  regarding: { kind: 'Service', apiVersion: 'v1', namespace: 'shop', name, uid: 'u' },
  type: 'Warning',
  reason: 'Bad',
  action: 'Sync',
  note,
});

test('the start is an event on the Node', async () => {
  recorder.record(startingEvent('n1'));
  await clock.advance(0);
  expect(client.writes).toEqual([
    {
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/default/events',
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: {
          name: expect.stringMatching(/^n1\.[0-9a-f]{16}$/) as unknown,
          namespace: 'default',
        },
        eventTime: '2025-01-01T00:00:00.000000Z',
        reportingController: 'kube-proxy',
        reportingInstance: 'kube-proxy-machine-1',
        regarding: { kind: 'Node', apiVersion: 'v1', name: 'n1' },
        type: 'Normal',
        reason: 'Starting',
        action: 'StartKubeProxy',
        note: '',
      },
    },
  ]);
});

test('the same event again counts up the first one, until it was quiet for a while', async () => {
  recorder.record(warning('web'));
  await clock.advance(seconds(1));
  recorder.record(warning('web'));
  await clock.advance(0);
  const [first, second] = client.writes;
  const { name } = (first as { body: { metadata: { name: string } } }).body.metadata;
  expect(second).toEqual({
    method: 'PATCH',
    path: `/apis/events.k8s.io/v1/namespaces/shop/events/${name}`,
    body: { series: { count: 2, lastObservedTime: '2025-01-01T00:00:01.000000Z' } },
  });
  recorder.record(warning('web', 'another note'));
  await clock.advance(minutes(7));
  recorder.record(warning('web'));
  await clock.advance(0);
  expect(client.writes.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST', 'POST']);
});

test('one object cannot flood the API, and does not take the place of others', async () => {
  for (let count = 0; count < 40; count++) recorder.record(warning('web', `${count}`));
  recorder.record(warning('other'));
  await clock.advance(0);
  expect(client.writes).toHaveLength(26);
  expect(dropped).toBe(15);
  await clock.advance(minutes(5));
  recorder.record(warning('web', 'later'));
  await clock.advance(0);
  expect(client.writes).toHaveLength(27);
});

test('while the API is away recording does not wait, and what is too much is dropped and counted', async () => {
  client.onWrite = () => Promise.reject(new ConnectionError('POST x', { reason: 'refused' }));
  for (let count = 0; count < 150; count++) recorder.record(warning(`web-${count}`));
  expect(dropped).toBe(50);
  await clock.advance(seconds(1 + 2 + 4 + 1));
  expect(dropped).toBe(51);
  client.onWrite = async (body) => body;
  await clock.advance(seconds(30));
  expect(client.writes.filter(({ path }) => path.includes('/shop/')).length).toBeGreaterThan(99);
  expect(dropped).toBe(51);
});

test('an event that the API refuses is dropped at once', async () => {
  client.onWrite = () => Promise.reject(new ApiError('POST x', { status: 403 }));
  recorder.record(warning('web'));
  await clock.advance(0);
  expect({ writes: client.writes.length, dropped }).toEqual({ writes: 1, dropped: 1 });
});

test('a note is cut to what the API takes', async () => {
  recorder.record(warning('web', 'é'.repeat(100_000)));
  await clock.advance(0);
  const [{ note } = { note: '' }] = client.writes.map(({ body }) => body as { note: string });
  expect(note).toMatch(/^é+…$/);
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
});

test('an object with a name that no object can have gets no event', async () => {
  recorder.record(warning('x'.repeat(1_000_000)));
  await clock.advance(0);
  expect({ writes: client.writes.length, dropped }).toEqual({ writes: 0, dropped: 1 });
});

test('at the end what still waits is dropped and counted', async () => {
  client.onWrite = () =>
    new Promise((_resolve, reject) =>
      stop.signal.addEventListener('abort', () => reject(new Error('stopped'))),
    );
  recorder.record(warning('a'));
  recorder.record(warning('b'));
  await clock.advance(0);
  stop.abort();
  await running;
  expect(dropped).toBe(2);
});
