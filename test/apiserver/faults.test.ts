import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ManualClock } from '../../pkg/runner/manual-clock.ts';
import type { ApiServer } from './apiserver.ts';
import { recordAt } from './objects.ts';
import { service } from './samples.ts';
import type { TestClient } from './test-client.ts';
import { startStand, stopStand, streaming } from './test-stand.ts';

const path = '/api/v1/services';
let clock: ManualClock;
let server: ApiServer;
let client: TestClient;

beforeEach(async () => void ({ clock, server, client } = await startStand()));
afterEach(() => stopStand({ clock, server, client }));

async function codeOf(of = path): Promise<number> {
  return (await client.call(of)).code;
}

describe('faults of requests', () => {
  it('strike as many requests as they should, and only those that match', async () => {
    server.faults.inject({
      effect: { kind: 'status', code: 503 },
      match: { verb: 'list', resource: 'services' },
      times: 2,
    });
    expect([await codeOf('/api/v1/nodes'), await codeOf(), await codeOf(), await codeOf()]).toEqual(
      [200, 503, 503, 200],
    );
  });

  it('strike in the order in which they were injected, until they are taken back', async () => {
    const takeBack = server.faults.inject({ effect: { kind: 'status', code: 500 } });
    server.faults.inject({
      effect: { kind: 'status', code: 403 },
      match: (request) => request.method === 'GET',
    });
    expect(await codeOf()).toBe(500);
    takeBack();
    expect(await codeOf()).toBe(403);
    server.faults.clear();
    expect(await codeOf()).toBe(200);
  });

  it('say when to come back', async () => {
    server.faults.inject({ effect: { kind: 'status', code: 429, retryAfter: 7 } });
    const { headers, body } = await client.call(path);
    expect([headers['retry-after'], body['reason'], body['kind']]).toEqual([
      '7',
      'TooManyRequests',
      'Status',
    ]);
  });

  it('can be an answer that no API server gives', async () => {
    server.faults.inject({
      effect: { kind: 'body', code: 200, contentType: 'text/html', body: '<html>' },
    });
    expect((await client.call(path)).body).toEqual({ text: '<html>' });
  });

  it('can be a connection that is cut', async () => {
    server.faults.inject({ effect: { kind: 'reset' } });
    await expect(client.call(path)).rejects.toThrow('socket hang up');
  });

  it('can be a delay', async () => {
    server.faults.inject({ effect: { kind: 'delay', milliseconds: 5000 }, times: 1 });
    const answer = client.call(path);
    await server.requests.until((log) => log.count({ resource: 'services' }) === 1);
    await clock.advance(4999);
    expect(server.requests.all({ resource: 'services' })[0]?.code).toBe(0);
    await clock.advance(1);
    expect((await answer).code).toBe(200);
  });

  it('can be silence, that ends with the server', async () => {
    server.faults.inject({ effect: { kind: 'hang' } });
    const answer = client.call(path);
    await server.requests.until((log) => log.count({ resource: 'services' }) === 1);
    const failure = answer.catch((error: Error) => error.message);
    await server.stop();
    expect(await failure).toBe('socket hang up');
  });
});

describe('faults of watches', () => {
  it.each([
    ['end', { end: 'complete', rest: '' }],
    ['reset', { end: 'cut', rest: '' }],
  ] as const)('cut after some events: %s', async (how, result) => {
    server.faults.inject({ effect: { kind: 'cut', afterEvents: 1, how }, times: 1 });
    const watch = await client.watch(path, streaming);
    expect(await watch.drain()).toEqual({ events: ['ADDED a 4'], ...result });
  });

  it('cut in the middle of an event', async () => {
    server.faults.inject({ effect: { kind: 'cut', afterEvents: 1, how: 'mid-event' } });
    const { events, end, rest } = await (await client.watch(path, streaming)).drain();
    expect([events, end]).toEqual([['ADDED a 4'], 'cut']);
    expect(rest).toMatch(/^\{"type":"ADDED","object":\{.*"name":"b"/);
    expect(() => JSON.parse(rest)).toThrow(SyntaxError);
  });

  it('cut before anything came', async () => {
    server.faults.inject({ effect: { kind: 'cut', afterEvents: 0, how: 'end' } });
    expect(await (await client.watch(path, streaming)).drain()).toEqual({
      events: [],
      end: 'complete',
      rest: '',
    });
  });

  it('end with an error event', async () => {
    const effect = {
      kind: 'error event',
      afterEvents: 2,
      code: 500,
      reason: 'InternalError',
      message: 'no',
    } as const;
    server.faults.inject({ effect });
    expect((await (await client.watch(path, streaming)).drain()).events).toEqual([
      'ADDED a 4',
      'ADDED b 5',
      'ERROR 500',
    ]);
  });

  it('break open watches now, or in their next event', async () => {
    const now = await client.watch(path, { resourceVersion: '5', allowWatchBookmarks: 'true' });
    expect(server.faults.breakWatches({ how: 'mid-event', match: { resource: 'services' } })).toBe(
      1,
    );
    expect((await now.drain()).rest).toContain('BOOKMARK');
    const next = await client.watch(path, { resourceVersion: '5' });
    server.faults.breakWatches({ how: 'mid-event', at: 'next event' });
    server.create(service('c'));
    const { events, end, rest } = await next.drain();
    expect([events, end, rest.startsWith('{"type":"ADDED"')]).toEqual([[], 'cut', true]);
  });

  it('leave out bookmarks, and send them on demand', async () => {
    server.faults.hasBookmarks = false;
    const watch = await client.watch(path, streaming);
    expect(await watch.take(2)).toEqual(['ADDED a 4', 'ADDED b 5']);
    await clock.advance(120_000);
    server.faults.sendBookmarks();
    server.faults.hasBookmarks = true;
    server.faults.sendBookmarks({ resource: 'services' });
    server.create(service('c'));
    expect(await watch.take(2)).toEqual(['BOOKMARK 5', 'ADDED c 6']);
  });

  it('send every event twice', async () => {
    server.faults.hasDuplicateEvents = true;
    const watch = await client.watch(path, { resourceVersion: '4' });
    expect(await watch.take(2)).toEqual(['ADDED b 5', 'ADDED b 5']);
  });

  it('hold everything back, and let it go', async () => {
    const watch = await client.watch(path, { resourceVersion: '4' });
    await watch.take(1);
    server.faults.pauseWatches();
    server.create(service('c'));
    let isThere = false;
    const event = watch.take(1).then((taken) => {
      isThere = true;
      return taken;
    });
    await client.call('/version');
    expect(isThere).toBe(false);
    server.faults.resumeWatches();
    expect(await event).toEqual(['ADDED c 6']);
  });
});

describe('faults of the server', () => {
  it('stop listening and come back on the same port, with all they held', async () => {
    const watch = await client.watch(path, { resourceVersion: '5' });
    await server.stop();
    expect((await watch.drain()).end).toBe('cut');
    await expect(client.call(path)).rejects.toThrow('ECONNREFUSED');
    server.create(service('c'));
    await server.listen();
    const resumed = await client.watch(path, { resourceVersion: '5' });
    expect(await resumed.take(1)).toEqual(['ADDED c 6']);
  });

  it('lose what came after a backup', async () => {
    const backup = server.backup();
    const lost = recordAt(server.create(service('c')), 'spec');
    const watch = await client.watch(path, { resourceVersion: '6' });
    server.restore(backup);
    expect((await watch.drain()).end).toBe('cut');
    expect(server.objects('Service').map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(await codeOf(`${path}?resourceVersion=6`)).toBe(504);
    const other = server.create(service('d', { clusterIP: lost['clusterIP'] }));
    expect(recordAt(other, 'spec')['clusterIP']).toBe(lost['clusterIP']);
  });

  it('forget a token', async () => {
    server.credentials.expire(server.credentials.any());
    expect(await codeOf()).toBe(401);
  });
});

describe('the log of requests', () => {
  it('counts by kind, knows connections, and which watches are open', async () => {
    await codeOf();
    const watch = await client.watch(path, { resourceVersion: '5' });
    expect(server.requests.summary()).toEqual({ 'list services': 1, 'watch services': 1 });
    expect(server.requests.count({ verb: 'watch' })).toBe(1);
    const [list, opened] = server.requests.all();
    expect(list).toMatchObject({ code: 200, isOver: true, remotePort: opened?.remotePort });
    expect(server.requests.openWatches({ resource: 'services' })).toHaveLength(1);
    watch.close();
    await server.requests.until((log) => log.openWatches().length === 0);
  });

  it('gives up waiting when told to', async () => {
    await expect(server.requests.until(() => false, AbortSignal.abort())).rejects.toThrow(
      'did not come',
    );
  });
});
