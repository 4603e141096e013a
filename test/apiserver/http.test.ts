import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startApiServer } from './apiserver.ts';
import { recordsAt, textAt } from './objects.ts';
import { service, slice } from './samples.ts';
import { TestClient } from './test-client.ts';

const services = '/api/v1/namespaces/default/services';

let server: ApiServer;
let client: TestClient;

beforeEach(async () => {
  server = await startApiServer({ tls: false });
  client = new TestClient(server);
});

afterEach(async () => {
  client[Symbol.dispose]();
  await server.close();
});

/** `call` is method and path, and the content type where it is not JSON: `PATCH /api/… application/merge-patch+json`. */
async function send(call: string, body?: unknown) {
  const [method = '', path = '', type = 'application/json'] = call.split(' ');
  return client.call(path, { method, body, headers: { 'content-type': type } });
}

describe('objects', () => {
  it('are created, read, replaced and deleted', async () => {
    const created = await send(`POST ${services}`, service('web'));
    expect([created.code, created.body['kind'], textAt(created.body, 'spec.clusterIP')]).toEqual([
      201,
      'Service',
      '172.30.0.2',
    ]);
    const read = await client.call(`${services}/web`);
    expect([read.code, read.body]).toEqual([200, created.body]);
    const replaced = await send(`PUT ${services}/web`, {
      ...read.body,
      spec: { ports: [{ port: 81 }] },
    });
    expect([replaced.code, recordsAt(replaced.body, 'spec.ports')[0]?.['port']]).toEqual([200, 81]);
    const deleted = await send(`DELETE ${services}/web`);
    expect(deleted.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'web', kind: 'services' },
    });
    expect((await client.call(`${services}/web`)).code).toBe(404);
  });

  it('are refused with a Status', async () => {
    await send(`POST ${services}`, service('web'));
    const again = await send(`POST ${services}`, service('web'));
    expect([again.code, again.body['reason']]).toEqual([409, 'AlreadyExists']);
    const stale = service('web', {}, { resourceVersion: '1' });
    expect((await send(`PUT ${services}/web`, stale)).body).toMatchObject({
      code: 409,
      reason: 'Conflict',
    });
    const bad = await send(`POST ${services}`, service('bad', { ports: [] }));
    expect(bad.body).toMatchObject({
      code: 422,
      details: { kind: 'Service', causes: [{ field: 'spec.ports' }] },
    });
    const missing = await client.call(
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/x',
    );
    expect(missing.body).toMatchObject({
      code: 404,
      message: 'endpointslices.discovery.k8s.io "x" not found',
      details: { name: 'x', group: 'discovery.k8s.io', kind: 'endpointslices' },
    });
  });

  it.each<[string, string, unknown, number]>([
    ['another kind', services, slice('web', []), 400],
    ['another namespace', services, service('web', {}, { namespace: 'other' }), 400],
    ['half a JSON', services, '{"metadata": ', 400],
    ['no object', services, '[]', 400],
    ['labels that are no texts', services, service('web', {}, { labels: { a: 1 } }), 400],
    ['a body of four megabytes', services, `"${'x'.repeat(4 * 2 ** 20)}"`, 413],
    ['a kind that is not served', '/api/v1/namespaces/default/secrets', {}, 404],
    ['an unknown subresource', `${services}/web/proxy`, {}, 404],
  ])('are not created from %s', async (...[, path, body, code]) => {
    expect((await send(`POST ${path}`, body)).code).toBe(code);
  });

  it('are patched in every form', async () => {
    server.create(service('web'));
    const web = `${services}/web`;
    const merge = await send(`PATCH ${web} application/merge-patch+json`, {
      metadata: { labels: { a: '1' } },
    });
    expect(merge.body).toMatchObject({ metadata: { labels: { a: '1' } } });
    const ports = [{ port: 80, targetPort: 8080 }];
    const strategic = await send(`PATCH ${web} application/strategic-merge-patch+json`, {
      spec: { ports },
    });
    expect(strategic.body).toMatchObject({
      spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }] },
    });
    const apply = await send(
      `PATCH ${services}/new application/apply-patch+yaml`,
      'spec: {ports: [{port: 1}]}',
    );
    expect([apply.code, textAt(apply.body, 'metadata.name')]).toEqual([201, 'new']);
    expect((await send(`PATCH ${services}/none application/merge-patch+json`, {})).code).toBe(404);
    expect((await send(`PATCH ${web} text/plain`, {})).code).toBe(415);
  });

  it('have a status of their own path', async () => {
    server.create(service('web'));
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.9' }] } };
    await send(`PATCH ${services}/web application/merge-patch+json`, { status });
    expect(server.get(service('web'))?.['status']).toEqual({ loadBalancer: {} });
    await send(`PATCH ${services}/web/status application/merge-patch+json`, { status });
    expect(server.get(service('web'))?.['status']).toEqual(status);
  });

  it('are deleted only if they are the ones that are meant', async () => {
    server.create(service('web'));
    expect((await send(`DELETE ${services}/web`, { preconditions: { uid: 'other' } })).code).toBe(
      409,
    );
    expect((await send(`DELETE ${services}/web?dryRun=All`)).code).toBe(200);
    expect(server.objects('Service')).toHaveLength(1);
  });

  it('that nobody validates are kept as they are', async () => {
    server.isValidating = false;
    expect(
      (await send(`POST ${services}`, service('bad', { ports: [{ port: 70_000 }] }))).code,
    ).toBe(201);
  });

  it('are the same ones in this process', async () => {
    server.apply(service('web'));
    server.apply(service('web', { sessionAffinity: 'ClientIP' }));
    expect(textAt((await client.call(`${services}/web`)).body, 'spec.sessionAffinity')).toBe(
      'ClientIP',
    );
    server.delete(service('web'));
    expect(server.get(service('web'))).toBeUndefined();
    expect(server.objects('Gateway')).toEqual([]);
  });
});

describe('requests', () => {
  it.each([
    ['application/vnd.kubernetes.protobuf', 200],
    ['application/vnd.kubernetes.protobuf,application/json', 200],
    ['application/cbor', 406],
    ['application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json', 200],
    ['*/*', 200],
  ])('that accept %s', async (accept, code) => {
    expect((await client.call('/api/v1/services', { headers: { accept } })).code).toBe(code);
  });

  it('need a token, unless they ask for health', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await client.call('/api/v1/services', { headers })).body).toMatchObject({
      code: 401,
      reason: 'Unauthorized',
    });
    expect((await client.call('/readyz', { headers })).body).toEqual({ text: 'ok' });
    const token = server.credentials.add('kubelet');
    await client.call('/api/v1/nodes', { headers: { authorization: `Bearer ${token}` } });
    expect(server.requests.all({ resource: 'nodes' })[0]).toMatchObject({
      user: 'kubelet',
      code: 200,
    });
  });

  it.each([
    ['/version', { gitVersion: 'v1.35.0' }],
    ['/api', { versions: ['v1'] }],
    ['/apis', { kind: 'APIGroupList' }],
    ['/apis/discovery.k8s.io', { kind: 'APIGroup', name: 'discovery.k8s.io' }],
    ['/apis/discovery.k8s.io/v1', { kind: 'APIResourceList', groupVersion: 'discovery.k8s.io/v1' }],
    ['/openapi/v3', { paths: { 'api/v1': { serverRelativeURL: '/openapi/v3/api/v1' } } }],
    ['/openapi/v3/api/v1', { openapi: '3.0.0' }],
  ])('for %s are told what is served', async (path, reported) => {
    expect((await client.call(path)).body).toMatchObject(reported);
  });

  it.each([
    '/',
    '/api/v2',
    '/apis/none',
    '/apis/none/v1',
    '/api/v1/secrets',
    '/openapi/v3/apis/none/v1',
  ])('for %s are answered with 404', async (path) => {
    expect((await client.call(path)).body).toMatchObject({ kind: 'Status', code: 404 });
  });
});
