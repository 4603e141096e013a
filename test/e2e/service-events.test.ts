import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { service, slice } from '../support/kube/objects.ts';
import { ProgramParts } from '../support/kube/program-parts.ts';

// What owners of Services read with `kubectl get events`: the program's parts against an API server, over a kernel in memory.

let server: ApiServer;
let parts: ProgramParts;

beforeAll(async () => {
  server = await startApiServer();
  parts = await ProgramParts.start(server);
});

afterAll(async () => {
  await parts[Symbol.asyncDispose]();
  await server.close();
});

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
  const { ipvs } = parts.stand.kernel;
  await expect.poll(() => ipvs.dump()).toContain(`-t ${clusterIP}:80 -r 10.0.0.2:8080`);
  ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, { activeConnections: 3 });
  server.update(slice('short', { count: 1 }));
  expect(await eventually('short')).toEqual([
    `Service ${metadata.uid} ConnectionsCut: 10.0.0.2:8080 was taken out of ${clusterIP}:80/TCP at its drain deadline, with 3 connections left`,
  ]);
});
