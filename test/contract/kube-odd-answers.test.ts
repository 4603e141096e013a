import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import {
  encodeList,
  encodeObject,
  protobufType,
} from '@kube-proxy-ipvs/test-apiserver/protobuf-encode';
import type { RequestMatch } from '@kube-proxy-ipvs/test-apiserver/request';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Follower } from '../support/kube/follower.ts';
import { node, service, slice } from '../support/kube/objects.ts';

const names = Array.from({ length: 50 }, (_, index) => `s${index}`);
const services = { resource: 'services' };

let server: ApiServer;

beforeEach(async () => {
  server = await startApiServer({ bookmarkInterval: 50 });
  for (const name of names) server.create(service(name));
  for (const object of [slice('s1'), node('n1')]) server.create(object);
});

afterEach(async () => {
  await server.close();
});

/** What something between the server and us answers in its place, with 200: JSON, or bytes that say they are protobuf. */
function answerWith(
  body: string | Uint8Array,
  { match = {}, times }: { match?: RequestMatch; times?: number },
) {
  const contentType = typeof body === 'string' ? 'application/json' : protobufType;
  const effect = { kind: 'body', code: 200, contentType, body } as const;
  server.faults.inject({ effect, match, ...(times !== undefined && { times }) });
}

/** Every watch of Services ends with a 410, so that all is read again. */
function expire(): void {
  server.faults.inject({
    effect: { kind: 'error event', afterEvents: 0, code: 410, reason: 'Expired', message: 'old' },
    match: { verb: 'watch', ...services },
    times: 1,
  });
  server.faults.breakWatches({ how: 'end' });
}

function protobufList(head: { kind?: string; metadata?: { resourceVersion?: string } }): Buffer {
  const metadata = { resourceVersion: '99' };
  return encodeList({ kind: 'ServiceList', apiVersion: 'v1', metadata, ...head }, []);
}

const deleted = ({ changes }: Follower) => changes.filter(({ type }) => type === 'delete').length;
const known = ({ state }: Follower) =>
  Object.keys(state).filter((key) => key.startsWith('Service')).length;

/** Has all be read again with whatever answers, and sees that nothing is taken for deleted. */
async function expireWithoutLoss(follower: Follower): Promise<void> {
  server.faults.hasInitialEvents = false;
  const before = server.requests.all({ verb: 'list', ...services }).length;
  expire();
  await server.requests.until((log) => log.all({ verb: 'list', ...services }).length > before + 2);
  expect({ known: known(follower), deleted: deleted(follower) }).toEqual({ known: 50, deleted: 0 });
}

test.each([
  ['a Status', '{"kind":"Status","apiVersion":"v1","status":"Failure","code":503}\n'],
  ['an empty object', '{}\n'],
  ["a gateway's error", '{"error":"no healthy upstream"}\n'],
  ['nothing', 'null\n'],
  ['an array', '[]\n'],
  ['a list of another kind', '{"kind":"PodList","metadata":{"resourceVersion":"99"},"items":[]}\n'],
  ['a list without items', '{"kind":"ServiceList","metadata":{"resourceVersion":"99"}}\n'],
  ['a list without a version', '{"kind":"ServiceList","metadata":{},"items":[]}\n'],
])(
  'where every answer is %s with status 200, nothing is told as complete, and nothing as deleted',
  async (_name, body) => {
    answerWith(body, {});
    await using follower = await Follower.start(server.kubeconfig(), { hurry: 40 });
    await server.requests.until((log) => log.all({ verb: 'list', ...services }).length >= 3);
    expect(follower.changes.filter(({ type }) => type !== 'stale')).toEqual([]);
    server.faults.clear();
    await follower.untilSynced();

    answerWith(body, { match: { verb: 'list' } });
    await expireWithoutLoss(follower);
    server.faults.clear();
    server.create(service('later'));
    await follower.untilKnown('Service default/later');
    expect(deleted(follower)).toBe(0);
  },
);

test.each<[string, Uint8Array]>([
  ['nothing in protobuf', new Uint8Array(0)],
  ['JSON that says it is protobuf', Buffer.from('{"kind":"ServiceList","items":[]}')],
  ['a Status in protobuf', encodeObject({ kind: 'Status', apiVersion: 'v1', code: 503 })],
  ['a list of another kind in protobuf', protobufList({ kind: 'NodeList' })],
  ['a list of a kind that is not read in protobuf', protobufList({ kind: 'PodList' })],
  ['a list without a version in protobuf', protobufList({ metadata: {} })],
  ['a list without its items in protobuf', protobufList({}).subarray(0, 4 + 2 + 17)],
  ['half a list in protobuf', protobufList({}).subarray(0, -8)],
])(
  'where every list of Services is %s with status 200, nothing is told as complete, and nothing as deleted',
  async (_name, body) => {
    server.faults.hasInitialEvents = false;
    answerWith(body, { match: { verb: 'list', ...services } });
    await using follower = await Follower.start(server.kubeconfig(), { hurry: 40 });
    await server.requests.until((log) => log.all({ verb: 'list', ...services }).length >= 3);
    const ofServices = follower.changes.filter(
      (change) => change.type !== 'stale' && change.kind === 'Service',
    );
    expect(ofServices).toEqual([]);
    server.faults.clear();
    await follower.untilSynced();

    answerWith(body, { match: { verb: 'list', ...services } });
    await expireWithoutLoss(follower);
  },
);

test('a list that is empty for once deletes nothing', async () => {
  await using follower = await Follower.start(server.kubeconfig(), { hurry: 40 });
  await follower.untilSynced();
  server.faults.hasInitialEvents = false;
  const metadata = { resourceVersion: `${server.revision}` };
  answerWith(`${JSON.stringify({ kind: 'ServiceList', metadata, items: [] })}\n`, {
    match: { verb: 'list', ...services },
    times: 1,
  });
  expire();
  await follower.until(({ log }) => log.some((line) => line.includes('not believing')));
  server.create(service('meanwhile'));
  server.delete(service('s0'));
  await follower.untilKnown('Service default/meanwhile');
  await follower.untilKnown('Service default/s0', false);
  await follower.until(({ changes }) => changes.some(({ type }) => type === 'confirmed'));
  expect({ known: known(follower), deleted: deleted(follower) }).toEqual({ known: 50, deleted: 1 });
});

test('what went while nobody looked goes, however much, with the second read', async () => {
  await using follower = await Follower.start(server.kubeconfig(), { hurry: 40 });
  await follower.untilSynced();
  await server.stop();
  for (const name of names.slice(5)) server.delete(service(name));
  server.create(service('new'));
  server.compact();
  await server.listen();
  await follower.untilKnown('Service default/new');
  expect(deleted(follower)).toBe(0);
  await follower.untilKnown('Service default/s49', false);
  expect({ known: known(follower), deleted: deleted(follower) }).toEqual({ known: 6, deleted: 45 });
  const reads = server.requests.all({ verb: 'list', ...services });
  expect(reads.at(-1)?.query.get('resourceVersion')).not.toBe('0');
});
