import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { Break } from '@kube-proxy-ipvs/test-apiserver/faults';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Follower, type FollowerOptions } from '../support/kube/follower.ts';
import { node, service, slice } from '../support/kube/objects.ts';

let server: ApiServer;

async function start(protobuf: boolean): Promise<void> {
  server = await startApiServer({ bookmarkInterval: 50, protobuf });
  for (const object of [service('a'), service('b'), slice('a'), node('n1')]) server.create(object);
}

afterEach(async () => {
  await server.close();
});

const follow = (kubeconfig = server.kubeconfig(), options: FollowerOptions = {}) =>
  Follower.start(kubeconfig, options);

/** Where only the first answer counts: on a busy machine it would come too late in hurried time. */
const unhurried: FollowerOptions = { hurry: 1 };

/** Until the follower knows about the latest Service, and so about all before it. */
async function untilCurrent(follower: Follower): Promise<void> {
  const last = service(`last-${server.revision}`);
  server.create(last);
  await follower.untilKnown(`Service default/${last.metadata.name}`);
  const names = server.objects('Service').map(({ metadata }) => `Service default/${metadata.name}`);
  expect(Object.keys(follower.state).filter((key) => key.startsWith('Service'))).toEqual(
    names.sort(),
  );
}

const versions = (verb: 'list' | 'watch') =>
  server.requests
    .all({ verb, resource: 'services' })
    .map(({ query }) => query.get('resourceVersion'));

const forms = [
  ['JSON', false],
  ['protobuf', true],
] as const;

describe.each(forms)('following the test API server in %s', (_, protobuf) => {
  beforeEach(() => start(protobuf));

  test('needs one watch for each kind, and opens no other unasked', async () => {
    await using follower = await follow(server.kubeconfig(), unhurried);
    await follower.untilSynced();
    for (let count = 0; count < 10; count++) await untilCurrent(follower);
    server.faults.sendBookmarks();
    expect(server.requests.summary()).toEqual({
      'watch services': 1,
      'watch endpointslices': 1,
      'watch nodes': 1,
    });
    expect(follower.log).toEqual([]);
  });

  test('of before 1.32 lists once, from version 0, and never from 0 again', async () => {
    server.faults.hasInitialEvents = false;
    await using follower = await follow();
    await follower.untilSynced();
    expect(versions('list')).toEqual(['0']);
    server.delete(service('b'));
    await follower.untilKnown('Service default/b', false);
    server.compact();
    server.faults.staleVersion = server.revision - 1;
    server.faults.inject({
      effect: { kind: 'error event', afterEvents: 0, code: 410, reason: 'Expired', message: 'x' },
      match: { resource: 'services', verb: 'watch' },
      times: 1,
    });
    server.faults.breakWatches({ how: 'end' });
    await untilCurrent(follower);
    expect(versions('list').slice(1)).not.toContain('0');
    expect(
      follower.changes.filter((change) => change.type === 'set' && change.object.name === 'b'),
    ).toHaveLength(1);
  });

  test('that lags behind at first catches up', async () => {
    server.faults.hasInitialEvents = false;
    server.faults.staleVersion = server.revision;
    server.create(service('new'));
    server.delete(service('a'));
    await using follower = await follow();
    await follower.untilSynced();
    const reported = follower.changes.map((change) =>
      change.type === 'set' ? change.object.name : '',
    );
    expect(reported.indexOf('a')).toBeGreaterThanOrEqual(0);
    await follower.untilKnown('Service default/new');
    await follower.untilKnown('Service default/a', false);
  });

  test.each([true, false])(
    'a 410 (as a status: %s) starts anew, and tells what vanished meanwhile',
    async (isStatus) => {
      server.faults.isExpiryStatus = isStatus;
      await using follower = await follow();
      await follower.untilSynced();
      await server.stop();
      server.delete(service('b'));
      server.create(service('c'));
      server.compact();
      await server.listen();
      await follower.untilKnown('Service default/c');
      await untilCurrent(follower);
      expect(follower.changes).toContainEqual({
        type: 'delete',
        kind: 'Service',
        name: { namespace: 'default', name: 'b' },
      });
      expect(follower.changes.filter(({ type }) => type === 'synced')).toHaveLength(3);
    },
  );

  test.each<Break>(['end', 'reset', 'mid-event'])(
    'watches that break (%s), now or at the next event, lose nothing',
    async (how) => {
      await using follower = await follow();
      await follower.untilSynced();
      for (const at of ['now', 'next event', 'next event', 'now'] as const) {
        server.faults.breakWatches({ how, at });
        server.update(service('a', 90));
        await untilCurrent(follower);
      }
      expect(follower.changes.filter(({ type }) => type === 'delete')).toEqual([]);
    },
  );

  test.each<[number, Break]>(
    [0, 1, 2, 3].flatMap((count) =>
      (['end', 'reset', 'mid-event'] as const).map((how): [number, Break] => [count, how]),
    ),
  )('a first read that breaks after %d events (%s) is made up for', async (afterEvents, how) => {
    server.faults.inject({
      effect: { kind: 'cut', afterEvents, how },
      match: { verb: 'watch' },
      times: 3,
    });
    await using follower = await follow();
    await follower.untilSynced();
    await untilCurrent(follower);
  });

  test('events that come twice change nothing', async () => {
    server.faults.hasDuplicateEvents = true;
    await using follower = await follow();
    server.delete(service('b'));
    await untilCurrent(follower);
  });

  test.each([
    ['500', { kind: 'status', code: 500 }],
    ['429', { kind: 'status', code: 429, retryAfter: 2 }],
    ['403', { kind: 'status', code: 403 }],
    ['404', { kind: 'status', code: 404 }],
    [
      'a page of HTML',
      { kind: 'body', code: 200, contentType: 'text/html', body: '<html>\nhello' },
    ],
    ['a reset', { kind: 'reset' }],
    ['nothing', { kind: 'hang' }],
  ] as const)(
    'a server that answers with %s is asked again, and what is known stays',
    async (_name, effect) => {
      // A server that says nothing is given up at a deadline.
      const hanging = { hurry: 100, hurriesSilence: true };
      await using follower = await follow(
        server.kubeconfig(),
        effect.kind === 'hang' ? hanging : {},
      );
      await follower.untilSynced();
      server.faults.inject({ effect, times: 6 });
      server.faults.breakWatches({ how: 'reset' });
      await untilCurrent(follower);
      expect(follower.changes.filter(({ type }) => type === 'delete')).toEqual([]);
      expect(follower.log.length).toBeGreaterThan(0);
    },
  );

  test('a server restored from a backup is followed back', async () => {
    const backup = server.backup();
    server.delete(service('a'));
    for (let count = 0; count < 20; count++) server.create(service(`lost-${count}`));
    await using follower = await follow();
    await follower.untilSynced();
    server.restore(backup);
    await follower.untilKnown('Service default/lost-7', false);
    await untilCurrent(follower);
    expect(follower.state).toHaveProperty(['Service default/a']);
  });

  test('a token that expires is read again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'token-'));
    try {
      const tokenFile = join(folder, 'token');
      const first = server.credentials.add('proxy');
      writeFileSync(tokenFile, first);
      await using follower = await follow(server.kubeconfig({ tokenFile }));
      await follower.untilSynced();
      server.credentials.expire(first);
      server.faults.breakWatches({ how: 'end' });
      await server.requests.until((log) => log.all().some(({ code }) => code === 401));
      expect(follower.state).toHaveProperty(['Service default/a']);
      writeFileSync(tokenFile, server.credentials.add('proxy'));
      await untilCurrent(follower);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a client certificate is enough', async () => {
    await using follower = await follow(server.kubeconfig({ certificateFor: 'system:kube-proxy' }));
    await follower.untilSynced();
    expect(server.requests.all()[0]?.user).toBe('system:kube-proxy');
  });
});

describe('a certificate that cannot be trusted is named', () => {
  beforeEach(() => start(true));

  test('one that has expired', async () => {
    await using expired = await startApiServer({ certificateEnds: Date.UTC(2024, 1, 3) });
    await using follower = await follow(expired.kubeconfig(), unhurried);
    await follower.until(({ log }) => log.length > 0);
    expect(follower.log[0]).toMatch(
      /the server's certificate, or that of an authority, has expired; we trust .*kubeconfig: CN=test-authority .*; it shows subject CN=test-apiserver \(DNS:localhost.*\), issuer CN=test-authority, valid from .* to Feb {2}3 00:00:00 2024 GMT/,
    );
  });

  test('one of another authority', async () => {
    await using other = await startApiServer();
    await using follower = await follow(server.kubeconfig({ url: other.url }), unhurried);
    await follower.until(({ log }) => log.length > 0);
    expect(follower.log[0]).toMatch(
      /is signed by another authority than ours.* subject CN=test-apiserver/,
    );
    expect(follower.synced.size).toBe(0);
    expect(other.requests.count()).toBe(0);
  });

  test('one for another name', async () => {
    const kubeconfig = server
      .kubeconfig()
      .replace('server:', 'tls-server-name: elsewhere\n    server:');
    await using follower = await follow(kubeconfig, unhurried);
    await follower.until(({ log }) => log.length > 0);
    expect(follower.log[0]).toMatch(
      /is for other names, not elsewhere; .* it shows subject CN=test-apiserver/,
    );
  });
});
