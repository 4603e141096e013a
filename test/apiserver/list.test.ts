import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from './apiserver.ts';
import { recordsAt, textAt } from './objects.ts';
import { service } from './samples.ts';
import { TestClient } from './test-client.ts';

let server: ApiServer;
let client: TestClient;

beforeEach(async () => {
  server = await startApiServer({ tls: false });
  client = new TestClient(server);
  for (const name of ['a', 'b', 'c', 'd', 'e']) server.create(service(name));
});

afterEach(async () => {
  client[Symbol.dispose]();
  await server.close();
});

/** Services' names and the list's version: `a b c @7`; the code and reason if it was refused. */
async function list(parameters: Readonly<Record<string, string>>) {
  const { code, body } = await client.call(
    `/api/v1/services?${new URLSearchParams(parameters).toString()}`,
  );
  const names = recordsAt(body, 'items').map((item) => textAt(item, 'metadata.name'));
  const shown =
    code === 200
      ? `${names.join(' ')} @${textAt(body, 'metadata.resourceVersion')}`
      : `${code} ${textAt(body, 'reason')}`;
  return {
    shown,
    token: textAt(body, 'metadata.continue'),
    remaining: textAt(body, 'metadata.remainingItemCount'),
    body,
  };
}

describe('lists', () => {
  it('have items without kind and apiVersion, as real ones do', async () => {
    const { body } = await list({ limit: '1' });
    expect(body).toMatchObject({ kind: 'ServiceList', apiVersion: 'v1' });
    expect(recordsAt(body, 'items')[0]).toMatchObject({ metadata: { name: 'a' } });
    expect(recordsAt(body, 'items')[0]).not.toHaveProperty('kind');
    expect(recordsAt(body, 'items')[0]).not.toHaveProperty('apiVersion');
  });

  it('come in pages of one state, whatever happens between them', async () => {
    const first = await list({ limit: '2' });
    expect([first.shown, first.remaining]).toEqual(['a b @8', '3']);
    server.delete(service('c'));
    server.create(service('cc'));
    const second = await list({ limit: '2', continue: first.token });
    expect([second.shown, second.remaining]).toEqual(['c d @8', '1']);
    const third = await list({ limit: '2', continue: second.token });
    expect([third.shown, third.token]).toEqual(['e @8', '']);
  });

  it('have no limit at version 0', async () => {
    expect(await list({ limit: '2', resourceVersion: '0' })).toMatchObject({
      shown: 'a b c d e @8',
      token: '',
    });
  });

  it('do not count what a selector leaves', async () => {
    expect(await list({ limit: '1', fieldSelector: 'metadata.name!=a' })).toMatchObject({
      shown: 'b @8',
      remaining: '',
    });
  });

  it('answer 410 to a token that is too old, with one that goes on in the present', async () => {
    const { token } = await list({ limit: '2' });
    server.create(service('bb'));
    server.compact();
    const refused = await list({ limit: '2', continue: token });
    expect(refused.shown).toBe('410 Expired');
    expect((await list({ continue: refused.token })).shown).toBe('bb c d e @9');
  });

  it.each<[string, Record<string, string>, string]>([
    ['a past version exactly', { resourceVersion: '5', resourceVersionMatch: 'Exact' }, 'a b @5'],
    [
      'a past version exactly, because of the limit',
      { resourceVersion: '5', limit: '10' },
      'a b @5',
    ],
    ['not older than a past version', { resourceVersion: '5' }, 'a b c d e @8'],
    [
      'not older than a past version, explicitly',
      { resourceVersion: '5', resourceVersionMatch: 'NotOlderThan' },
      'a b c d e @8',
    ],
    ['a version to come', { resourceVersion: '99' }, '504 Timeout'],
    [
      'a version to come exactly',
      { resourceVersion: '99', resourceVersionMatch: 'Exact' },
      '504 Timeout',
    ],
    ['a match without a version', { resourceVersionMatch: 'Exact' }, '422 Invalid'],
    ['exactly any', { resourceVersion: '0', resourceVersionMatch: 'Exact' }, '422 Invalid'],
    ['initial events', { sendInitialEvents: 'true' }, '422 Invalid'],
    ['a version that is none', { resourceVersion: 'x' }, '400 BadRequest'],
    ['a token that is none', { continue: 'x' }, '400 BadRequest'],
  ])('%s', async (_, parameters, shown) => {
    expect((await list(parameters)).shown).toBe(shown);
  });

  it('say how a version to come is too large', async () => {
    const { code, headers, body } = await client.call('/api/v1/services?resourceVersion=99');
    expect([code, headers['retry-after']]).toEqual([504, '1']);
    expect(body).toMatchObject({
      reason: 'Timeout',
      message: 'Timeout: Too large resource version: 99, current: 8',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }], retryAfterSeconds: 1 },
    });
  });

  it('refuse an exact version that is forgotten, but not one that need only be newer', async () => {
    server.compact();
    expect((await list({ resourceVersion: '5', resourceVersionMatch: 'Exact' })).shown).toBe(
      '410 Expired',
    );
    expect((await list({ resourceVersion: '5' })).shown).toBe('a b c d e @8');
  });

  it('at version 0 are as old as the fault says', async () => {
    server.faults.staleVersion = 5;
    expect((await list({ resourceVersion: '0' })).shown).toBe('a b @5');
    expect((await list({})).shown).toBe('a b c d e @8');
  });

  it('of one namespace leave the others out', async () => {
    server.create(service('x', {}, { namespace: 'shop' }));
    const { body } = await client.call('/api/v1/namespaces/shop/services');
    expect(recordsAt(body, 'items').map((item) => textAt(item, 'metadata.name'))).toEqual(['x']);
  });

  it('can be tables', async () => {
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
    const { body } = await client.call('/api/v1/services?limit=1', { headers });
    expect(body['kind']).toBe('Table');
    expect(
      recordsAt(body, 'columnDefinitions')
        .map((column) => column['name'])
        .join(' '),
    ).toBe('Name Type Cluster-IP External-IP Port(s) Age Selector');
    expect(recordsAt(body, 'rows')[0]).toMatchObject({
      cells: ['a', 'ClusterIP', '172.30.0.2', '<none>', '80/TCP', expect.any(String), '<none>'],
      object: { metadata: { name: 'a' } },
    });
  });
});
