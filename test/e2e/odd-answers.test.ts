import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelFollower } from '../support/kube/kernel-follower.ts';
import { node, service, slice } from '../support/kube/objects.ts';
import { FakeKernel } from '../support/proxier.ts';

// A program that starts again while something answers in the API server's place.

const timeout = 30_000;
const names = Array.from({ length: 30 }, (_, index) => `s${index}`);
const gauge = 'kubeproxy_ipvs_unconfirmed_deletions';

let server: ApiServer;
let kernel: FakeKernel;
let before: string;

beforeEach(async () => {
  server = await startApiServer({ bookmarkInterval: 50 });
  server.create(node('here'));
  names.forEach((name, index) => {
    server.create(service(name));
    server.create(slice(name, { third: index }));
  });
  kernel = new FakeKernel();
  await using earlier = await follow();
  await untilSynced(earlier);
  before = kernel.dump();
});

afterEach(() => server.close());

const follow = () => KernelFollower.ofApi(server.kubeconfig(), { hurry: 40, kernel });

const untilSaid = (follower: KernelFollower, text: string) =>
  follower.until(({ log }) => log.some((line) => line.includes(text)));

const untilSynced = (follower: KernelFollower) => untilSaid(follower, 'first sync done');

/** The next list of a resource is answered like this, and none comes as a stream. */
function answerWith(resource: string, { body, times }: { body: object; times?: number }): void {
  server.faults.hasInitialEvents = false;
  const effect = { kind: 'body', code: 200, contentType: 'application/json' } as const;
  server.faults.inject({
    effect: { ...effect, body: `${JSON.stringify(body)}\n` },
    match: { verb: 'list', resource },
    ...(times !== undefined && { times }),
  });
}

const empty = (kind: string) => ({
  kind: `${kind}List`,
  metadata: { resourceVersion: `${server.revision}` },
  items: [],
});

test('with a Status in place of every list, it waits and keeps everything', {
  timeout,
}, async () => {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 503 };
  for (const resource of ['services', 'endpointslices', 'nodes'])
    answerWith(resource, { body: status });
  await using follower = await follow();
  await untilSaid(follower, 'cannot follow every Service');
  await follower.pass(60_000);
  expect(kernel.dump()).toBe(before);
  expect(follower.health.readyz().isOk).toBe(false);
  server.faults.clear();
  await untilSynced(follower);
  expect(kernel.dump()).toBe(before);
});

test.each([
  ['Services', ['services', 'Service']],
  ['EndpointSlices', ['endpointslices', 'EndpointSlice']],
])(
  'with a first list of %s that is empty, it keeps everything, is healthy, and follows the API',
  { timeout },
  async (_name, [resource = '', kind = '']) => {
    answerWith(resource, { body: empty(kind), times: 1 });
    await using follower = await follow();
    await untilSynced(follower);
    expect(follower.health.healthz().isOk).toBe(true);
    expect(kernel.dump()).toBe(before);
    expect((await follower.scrape(gauge)).join()).toContain('kind="RealServer"} 60');
    server.create(service('new'));
    server.create(slice('new', { third: 99 }));
    await follower.until(() => kernel.ipvs.dump().includes('10.0.99.1:8080'));
    await untilSaid(follower, 'a second read of the API decided');
    await follower.pass(120_000);
    server.delete(service('new'));
    server.delete(slice('new'));
    await expect.poll(() => kernel.dump()).toBe(before);
    expect((await follower.scrape(gauge)).join()).toContain('kind="RealServer"} 0');
  },
);

test('what really went while it was away goes with the second read', { timeout }, async () => {
  for (const name of names.slice(2)) {
    server.delete(service(name));
    server.delete(slice(name));
  }
  await using follower = await follow();
  await untilSynced(follower);
  expect(kernel.dump()).toBe(before);
  const virtualServers = () => kernel.ipvs.dump().match(/^-A /gm)?.length;
  await expect.poll(virtualServers).toBe(2);
});
