import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ManualClock } from '../../pkg/runner/manual-clock.ts';
import type { ApiServer } from './apiserver.ts';
import { service } from './samples.ts';
import type { TestClient, TestWatch } from './test-client.ts';
import { startStand, stopStand, streaming } from './test-stand.ts';

const path = '/api/v1/services';
let clock: ManualClock;
let server: ApiServer;
let client: TestClient;

beforeEach(async () => void ({ clock, server, client } = await startStand()));
afterEach(async () => {
  await stopStand({ clock, server, client });
  if (clock.pending() !== 0) throw new Error(`${clock.pending()} timers are left`);
});

async function codeOf(parameters: Readonly<Record<string, string>>): Promise<string> {
  const { code, body } = await client.call(
    `${path}?watch=1&${new URLSearchParams(parameters).toString()}`,
  );
  return `${code} ${String(body['reason'])}`;
}

async function closed(watch: TestWatch): Promise<void> {
  watch.close();
  await server.requests.until((log) => log.openWatches().length === 0);
}

describe('watches', () => {
  it('tell what happened since a version, then what happens', async () => {
    const watch = await client.watch(path, { resourceVersion: '4' });
    expect(await watch.take(1)).toEqual(['ADDED b 5']);
    server.update(service('a', { sessionAffinity: 'ClientIP' }));
    server.delete(service('b'));
    expect(await watch.take(2)).toEqual(['MODIFIED a 6', 'DELETED b 7']);
    await closed(watch);
  });

  it.each([{}, { resourceVersion: '0' }])(
    'without a version begin with what is there: %o',
    async (parameters) => {
      const watch = await client.watch(path, parameters);
      expect(await watch.take(2)).toEqual(['ADDED a 4', 'ADDED b 5']);
      await closed(watch);
    },
  );

  it('stream the initial state if asked to, and mark its end', async () => {
    const watch = await client.watch(path, streaming);
    expect(await watch.take(3)).toEqual([
      'ADDED a 4',
      'ADDED b 5',
      'BOOKMARK 5 initial-events-end',
    ]);
    server.create(service('c'));
    expect(await watch.take(1)).toEqual(['ADDED c 6']);
    await closed(watch);
  });

  it('stream the whole state even if an old version is enough', async () => {
    const watch = await client.watch(path, { ...streaming, resourceVersion: '4' });
    expect(await watch.take(3)).toEqual([
      'ADDED a 4',
      'ADDED b 5',
      'BOOKMARK 5 initial-events-end',
    ]);
    await closed(watch);
  });

  it.each<[string, Record<string, string>, string]>([
    ['initial events without a match', { sendInitialEvents: 'true' }, '422 Invalid'],
    [
      'a match without initial events',
      { resourceVersionMatch: 'NotOlderThan', resourceVersion: '4' },
      '422 Invalid',
    ],
    [
      'initial events not older than the future',
      { ...streaming, resourceVersion: '99' },
      '504 Timeout',
    ],
    ['a version that is none', { resourceVersion: 'latest' }, '400 BadRequest'],
    ['a field that may not be selected', { fieldSelector: 'spec.x=1' }, '400 BadRequest'],
  ])('refuse %s', async (_, parameters, refused) => {
    expect(await codeOf(parameters)).toBe(refused);
  });

  it('refuse initial events as old servers do', async () => {
    server.faults.hasInitialEvents = false;
    expect(await codeOf(streaming)).toBe('422 Invalid');
  });

  it('of forgotten versions say so in an event, or as a status', async () => {
    server.compact();
    const watch = await client.watch(path, { resourceVersion: '3' });
    expect(await watch.drain()).toMatchObject({ events: ['ERROR 410'], end: 'complete' });
    server.faults.isExpiryStatus = true;
    expect(await codeOf({ resourceVersion: '3' })).toBe('410 Expired');
  });

  it('show objects that leave a selector as deleted, and those that enter it as added', async () => {
    const watch = await client.watch(path, { resourceVersion: '5', labelSelector: '!hidden' });
    server.update(service('a', {}, { labels: { hidden: 'yes' } }));
    server.update(service('a', {}, { labels: { hidden: 'still' } }));
    server.update(service('a', {}, { labels: { shown: 'yes' } }));
    expect(await watch.take(2)).toEqual(['DELETED a 6', 'ADDED a 8']);
    await closed(watch);
  });

  it('of one namespace, one name or another kind stay silent about the rest', async () => {
    const watches = await Promise.all([
      client.watch('/api/v1/namespaces/shop/services', { resourceVersion: '5' }),
      client.watch(path, { resourceVersion: '5', fieldSelector: 'metadata.name=x' }),
      client.watch('/api/v1/nodes', { resourceVersion: '5' }),
    ]);
    server.create(service('y'));
    server.create(service('x', {}, { namespace: 'shop' }));
    server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    const seen = await Promise.all(watches.map((watch) => watch.take(1)));
    expect(seen).toEqual([['ADDED x 8'], ['ADDED x 8'], ['ADDED n 9']]);
    for (const watch of watches) watch.close();
    await server.requests.until((log) => log.openWatches().length === 0);
  });

  it('send bookmarks every minute, if they may', async () => {
    const with_ = await client.watch(path, { ...streaming });
    const without = await client.watch(path, { resourceVersion: '5' });
    await with_.take(3);
    server.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } });
    await clock.advance(60_000);
    expect(await with_.take(1)).toEqual(['BOOKMARK 6']);
    await clock.advance(60_000);
    expect(await with_.take(1)).toEqual(['BOOKMARK 6']);
    server.create(service('c'));
    expect(await without.take(1)).toEqual(['ADDED c 7']);
    with_.close();
    await closed(without);
  });

  it('end at their timeout, with a last bookmark', async () => {
    const watch = await client.watch(path, {
      resourceVersion: '5',
      timeoutSeconds: '30',
      allowWatchBookmarks: 'true',
    });
    await clock.advance(30_000);
    expect(await watch.drain()).toEqual({ events: ['BOOKMARK 5'], end: 'complete', rest: '' });
  });

  it('carry a large state to a slow reader', async () => {
    const annotations = { padding: 'x'.repeat(200_000) };
    for (let count = 0; count < 50; count++)
      server.create(service(`large-${count}`, { clusterIP: 'None' }, { annotations }));
    const watch = await client.watch(path, streaming);
    const events = await watch.take(53);
    expect(events.at(-1)).toBe('BOOKMARK 55 initial-events-end');
    expect(new Set(events).size).toBe(53);
    await closed(watch);
  });

  it('show Events in the form of either group', async () => {
    const watch = await client.watch('/apis/events.k8s.io/v1/events');
    server.create({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      message: 'so it is',
    });
    expect((await watch.next())?.object).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      note: 'so it is',
    });
    await closed(watch);
  });
});
