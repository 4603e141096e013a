/**
 * What it costs to read a cluster's objects: time and memory to parse and reduce lists of Services and EndpointSlices that
 * arrive in pieces of 64 KB. `node --expose-gc test/bench/kube-objects.ts [services] [endpoints]`
 */
import { ListParser } from '../../pkg/kube/api/json-stream.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change, Kind } from '../../pkg/kube/types.ts';
import { podsOf, service, slice } from './objects.ts';

const services = Number(process.argv[2] ?? 10_000);
const endpoints = Number(process.argv[3] ?? 10);
const pieceSize = 64 * 1024;
const encoder = new TextEncoder();

const reducer = new Reducer();
const kept: Change[] = [];
let bytes = 0;
let parsing = 0;
let reducing = 0;
let longest = 0;

globalThis.gc?.();
const before = process.memoryUsage();
for (const kind of ['Service', 'EndpointSlice'] as const) read(kind);
globalThis.gc?.();
const after = process.memoryUsage();
const mb = (count: number) => `${(count / 2 ** 20).toFixed(1)} MB`;
console.log(
  `${services} Services, ${services} EndpointSlices of ${endpoints} endpoints: ${mb(bytes)} of JSON`,
);
console.log(
  `parsed in ${parsing.toFixed(0)} ms, reduced in ${reducing.toFixed(0)} ms, longest piece ${longest.toFixed(1)} ms`,
);
console.log(
  `heap ${mb(after.heapUsed - before.heapUsed)}, resident ${mb(before.rss)} → ${mb(after.rss)}, kept ${kept.length} objects`,
);

function read(kind: Kind): void {
  const parser = new ListParser();
  for (const piece of pieces(kind)) {
    const start = performance.now();
    const items = parser.push(piece);
    const parsed = performance.now();
    for (const item of items) kept.push(reducer.change(kind, item));
    const reduced = performance.now();
    parsing += parsed - start;
    reducing += reduced - parsed;
    longest = Math.max(longest, reduced - start);
    bytes += piece.length;
  }
  parser.finish();
}

/** A list as bytes, made as it is read, so that nothing of it is kept. */
function* pieces(kind: Kind): Generator<Uint8Array> {
  let text = '{"metadata":{"resourceVersion":"1"},"items":[';
  for (let index = 0; index < services; index++) {
    const object = kind === 'Service' ? service(index) : slice(index, podsOf(index, endpoints));
    text += (index === 0 ? '' : ',') + JSON.stringify(object);
    if (text.length < pieceSize) continue;
    yield encoder.encode(text);
    text = '';
  }
  yield encoder.encode(`${text}]}`);
}
