import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { ApiRequest } from '@kube-proxy-ipvs/test-apiserver/request';
import { describe, expect, test } from 'vitest';
import { openObjects } from '../../cmd/kube-proxy/object-source.ts';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { AssembledProgram } from '../support/assembled-program.ts';
import { findHelm, renderChart } from '../support/helm.ts';
import { node, service, slice } from '../support/kube/objects.ts';

// What the whole program asks the API for, compared with what the chart's ClusterRole grants.

const helm = findHelm();

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** What the chart grants, one right each: `list endpointslices.discovery.k8s.io`. */
function granted(): readonly string[] {
  const manifests = renderChart<{ kind: string; rules: readonly Rule[] }>(helm);
  return manifests
    .filter(({ kind }) => kind === 'ClusterRole')
    .flatMap(({ rules }) => rules)
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => right(verb, { group, resource }))),
      ),
    );
}

function right(verb: string, { group, resource }: { group: string; resource: string }): string {
  return `${verb} ${group === '' ? resource : `${resource}.${group}`}`;
}

const objectPath =
  /^\/(?:api|apis\/(?<group>[^/]+))\/v\w+\/(?:namespaces\/[^/]+\/)?(?<resource>[^/]+)(?<name>\/.+)?$/;

/** The rights that some requests took, each once; the whole request where it is about no object. */
function rightsOf(requests: readonly ApiRequest[]): readonly string[] {
  const rights = requests.map(({ method, path, query }) => {
    const { group = '', resource, name } = objectPath.exec(path)?.groups ?? {};
    if (resource === undefined) return `${method} ${path}`;
    const reading = query.has('watch') ? 'watch' : name === undefined ? 'list' : 'get';
    const writing = { POST: 'create', PUT: 'update' }[method] ?? method.toLowerCase();
    return right(method === 'GET' ? reading : writing, { group, resource });
  });
  return [...new Set(rights)].toSorted();
}

/** A Service with an annotation, of which an Event is written if it is wrong. */
function annotated(drainTimeout: string, port: number) {
  const object = service('web', port);
  const annotations = { 'ipvs.kube-proxy.io/drain-timeout': drainTimeout };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Starts the program against a server. Where VIPs are bound by routes it reads ServiceCIDR objects. */
async function startAgainst(server: ApiServer): Promise<AssembledProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'rights-'));
  try {
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, server.kubeconfig());
    const settings = {
      ...defaults,
      'clientConnection.kubeconfig': kubeconfig,
      'ipvs.serviceAnnotations': true,
      'ipvs.vipBinding': 'route',
    };
    return await AssembledProgram.start(effective(settings, 'here'), { openObjects });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Waits until the kernel has a virtual server with this port. */
async function served({ clock, kernel }: AssembledProgram, port: number): Promise<void> {
  const servers = async () => {
    await clock.advance(100);
    return kernel.ipvs.dump();
  };
  await expect.poll(servers).toMatch(new RegExp(`^-A -t \\S+:${port} `, 'm'));
}

/** The rights that the program takes of a server with or without lists that come as a watch. */
async function asked({
  hasInitialEvents,
  signal,
}: {
  hasInitialEvents: boolean;
  signal: AbortSignal;
}): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack();
  const server = await startApiServer();
  stack.defer(() => server.close());
  server.faults.hasInitialEvents = hasInitialEvents;
  const program = await startAgainst(server);
  stack.defer(() => program.stop());
  const addresses = [{ type: 'InternalIP', address: '192.168.0.10' }];
  server.create({ ...node('here'), status: { addresses } });
  server.create(slice('web'));
  server.create(annotated('soon', 80));
  await served(program, 80);
  const posted = { verb: 'create', resource: 'events' } as const;
  await server.requests.until((log) => log.count(posted) === 2, signal);
  server.update(annotated('5s', 81));
  await served(program, 81);
  // Once more: the Event becomes a series.
  server.update(annotated('soon', 82));
  await server.requests.until((log) => log.count({ verb: 'patch' }) > 0, signal);
  await server.requests.until((log) => log.count({ path: '/apis/networking.k8s.io/' }) > 0, signal);
  return rightsOf(server.requests.all());
}

describe.skipIf(helm === undefined)('the rights of the chart (skipped without helm)', () => {
  test('are those that the program takes: no request needs another one, and none is left over', async ({
    signal,
  }) => {
    const rights = granted();
    const usual = await asked({ hasInitialEvents: true, signal });
    const older = await asked({ hasInitialEvents: false, signal });
    expect(usual.filter((each) => !rights.includes(each))).toEqual([]);
    expect(older.filter((each) => !rights.includes(each))).toEqual([]);
    expect(rights.filter((each) => !usual.includes(each) && !older.includes(each))).toEqual([]);
    // What only a server without such lists is asked for.
    expect(older.filter((each) => !usual.includes(each))).toEqual([
      'list endpointslices.discovery.k8s.io',
      'list nodes',
      'list services',
    ]);
  });
});
