/**
 * What it costs to read a cluster's objects in JSON and in protobuf, in turns: CPU time and memory to parse and reduce lists of Services and
 * EndpointSlices that arrive in pieces. `hack/run node test/bench/kube-objects.ts [services] [endpoints] [rounds]`; with a folder behind
 * the form (`json`, `protobuf`) as first argument it measures one of them in this process.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '@kube-proxy-ipvs/test-apiserver/objects';
import { encodeList } from '@kube-proxy-ipvs/test-apiserver/protobuf-encode';
import { ListParser } from '../../pkg/kube/api/json-stream.ts';
import { ProtobufListParser } from '../../pkg/kube/api/protobuf-stream.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change, Kind } from '../../pkg/kube/types.ts';
import { podsOf, service, slice } from './objects.ts';
import { inFolder, table } from './run.ts';

const forms = ['json', 'protobuf'] as const;
type Form = (typeof forms)[number];
const kinds = ['Service', 'EndpointSlice'] as const;
const pieceSize = 64 * 1024;
/** How many bytes are parsed before the objects in them are reduced, as the client does it. */
const portion = 8 * 1024;

/** What one process found. */
interface Measured {
  /** Milliseconds of CPU time, the collector's included. */
  readonly cpu: number;
  readonly longest: number;
  /** Bytes. */
  readonly peak: number;
  readonly bytes: number;
  readonly kept: number;
}

const [first = '10000', second = '10', third = '5'] = process.argv.slice(2);
const form = forms.find((known) => known === first);
if (form !== undefined) console.log(JSON.stringify(measure(form, second)));
else
  await inFolder(async (folder) => {
    const services = Number(first);
    const endpoints = Number(second);
    for (const kind of kinds) write(folder, { kind, services, endpoints });
    report(folder, { services, endpoints, rounds: Number(third) });
  });

function measure(of: Form, folder: string): Measured {
  const reducer = new Reducer();
  const kept: Change[] = [];
  const piece = new Uint8Array(pieceSize);
  let bytes = 0;
  let longest = 0;
  const start = process.cpuUsage();
  for (const kind of kinds) {
    const parser = of === 'json' ? new ListParser() : new ProtobufListParser();
    const file = openSync(fileOf(folder, kind, of), 'r');
    for (let length = readSync(file, piece); length > 0; length = readSync(file, piece)) {
      const begun = performance.now();
      for (let at = 0; at < length; at += portion)
        for (const item of parser.push(piece.subarray(at, Math.min(at + portion, length))))
          kept.push(reducer.change(kind, item));
      longest = Math.max(longest, performance.now() - begun);
      bytes += length;
    }
    closeSync(file);
    parser.finish();
    parser.close();
  }
  const { user, system } = process.cpuUsage(start);
  // Not resourceUsage(): its peak is also that of the parent before this program was loaded.
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  return { cpu: (user + system) / 1000, longest, peak, bytes, kept: kept.length };
}

/** Both lists as an API server sends them. */
function write(
  folder: string,
  { kind, services, endpoints }: { kind: Kind; services: number; endpoints: number },
): void {
  const objects = Array.from({ length: services }, (_, index) =>
    kind === 'Service' ? service(index) : slice(index, podsOf(index, endpoints)),
  ) as Json[];
  const head = { kind: `${kind}List`, apiVersion: 'v1', metadata: { resourceVersion: '1' } };
  writeFileSync(fileOf(folder, kind, 'json'), JSON.stringify({ ...head, items: objects }));
  writeFileSync(fileOf(folder, kind, 'protobuf'), encodeList(head, objects));
}

function report(
  folder: string,
  size: { services: number; endpoints: number; rounds: number },
): void {
  const results: Record<Form, Measured[]> = { json: [], protobuf: [] };
  for (let round = 0; round < size.rounds; round++) {
    for (const of of forms) {
      const { stdout } = spawnSync(process.execPath, [import.meta.filename, of, folder], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      results[of].push(JSON.parse(stdout) as Measured);
    }
  }
  const mid = (of: Form, value: (measured: Measured) => number) =>
    results[of].map(value).sort((one, other) => one - other)[size.rounds >> 1] ?? 0;
  const mebibytes = (count: number) => `${(count / 2 ** 20).toFixed(1)} MiB`;
  const milliseconds = (count: number) => `${count.toFixed(0)} ms`;
  const rows: [string, (measured: Measured) => number, (count: number) => string][] = [
    ['on the wire', ({ bytes }) => bytes, mebibytes],
    ['CPU time', ({ cpu }) => cpu, milliseconds],
    ['longest piece of 64 KiB', ({ longest }) => longest, milliseconds],
    ['peak memory', ({ peak }) => peak, mebibytes],
    ['objects', ({ kept }) => kept, String],
  ];
  console.log(
    table(
      [`${size.services} Services × ${size.endpoints}, ${size.rounds} rounds`, ...forms, 'ratio'],
      rows.map(([name, value, print]) => [
        name,
        ...forms.map((of) => print(mid(of, value))),
        (mid('protobuf', value) / mid('json', value)).toFixed(2),
      ]),
    ),
  );
}

function fileOf(folder: string, kind: Kind, of: Form): string {
  return join(folder, `${kind}.${of}`);
}
