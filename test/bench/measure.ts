/**
 * One measurement in this process's own network namespace, which must be fresh: `measure.ts WHAT FOLDER SERVICES ENDPOINTS
 * [COUNT [address|route]]`. Prints one line of JSON. Started by `main.ts`.
 */
import { createHash } from 'node:crypto';
import { accessSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProcess } from '../../pkg/firewall/process.ts';
import { minutes } from '../../pkg/runner/clock.ts';
import { Changes, kinds } from './changes.ts';
import { encodeDestinations } from './encoding.ts';
import { play } from './floor.ts';
import { Node, type StartedProcess } from './node.ts';
import { podsOf, service } from './objects.ts';
import { record, recordings } from './recording.ts';

const [what = '', folder = '', ...numbers] = process.argv.slice(2);
const [services = 0, endpoints = 0, count = 0] = numbers.map(Number);
const size = { services, endpoints };
const vipBinding = numbers[3] === 'route' ? 'route' : 'address';

const measurements: Readonly<Record<string, () => unknown>> = {
  record: () => record(folder, { ...size, vipBinding }),
  floor: () => recordings.map((name) => play(join(folder, name))),
  rules: floorOfRules,
  'first-sync': firstSync,
  audit: audits,
  changes,
  counts,
  encode: () => encodeDestinations(),
};

const measurement = measurements[what];
if (measurement === undefined)
  throw new Error(`measure what? ${Object.keys(measurements).join(' ')}`);
console.log(JSON.stringify(await measurement()) ?? 'null');

/** What a first sync costs, from the last reported object to its end, and what it leaves in the kernel. */
async function firstSync() {
  const node = new Node({ syncPeriod: minutes(24 * 60) });
  await sleep(50);
  const begun = performance.now();
  node.reportAll(services, endpoints);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const reported = performance.now();
  await node.firstSync;
  const end = performance.now();
  delay.disable();
  const restores = node.processes.filter(({ command }) => command.endsWith('-restore'));
  writeFileSync(join(folder, 'rules.json'), JSON.stringify(restores));
  await node.stop();
  return {
    taking: reported - begun,
    total: end - reported,
    laps: node.stopwatch.laps,
    delay: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
    processes: node.processes.length,
    state: stateOfIpvs(),
  };
}

/** Virtual and real servers of this namespace in one word, whatever their order. */
function stateOfIpvs(): string {
  const lines = readFileSync('/proc/thread-self/net/ip_vs', 'utf8').split('\n');
  let owner = '';
  const pairs = lines.map((line) => {
    if (!line.startsWith('  ')) owner = line;
    return `${owner}${line}`;
  });
  return `${createHash('sha256').update(pairs.sort().join('\n')).digest('hex').slice(0, 12)} of ${lines.length} lines`;
}

/** The processes that write the rules, one after the other, with nothing around them. */
async function floorOfRules() {
  const restores = JSON.parse(
    readFileSync(join(folder, 'rules.json'), 'utf8'),
  ) as readonly StartedProcess[];
  const start = performance.now();
  for (const { command, input } of restores) {
    const { status, stderr } = await runProcess(command, ['--noflush'], { input, timeout: 60_000 });
    if (status !== 0) throw new Error(stderr);
  }
  return { milliseconds: performance.now() - start, state: stateOfIpvs() };
}

/** Audits that find nothing. */
async function audits() {
  const node = new Node({ syncPeriod: 1000 });
  node.reportAll(services, endpoints);
  await node.firstSync;
  const laps = [];
  while (laps.length < count) {
    node.stopwatch.reset();
    const first = node.syncs.length;
    const { ipvs, ipset, addresses } = node.stopwatch.laps;
    // Short syncs come in between, and read nothing.
    while (Math.min(ipvs.reading, ipset.reading, addresses.reading) === 0) await sleep(20);
    for (const done = node.syncs.length; node.syncs.length === done; ) await sleep(20);
    const total = Math.max(...node.syncs.slice(first).map(({ milliseconds }) => milliseconds));
    laps.push({ total, ...structuredClone(node.stopwatch.laps) });
  }
  await node.stop();
  return laps;
}

/** Milliseconds from a line of the watch to the last acknowledgement, for each kind of change. */
async function changes() {
  const cluster = new Changes(size);
  const { node } = cluster;
  await cluster.start();
  const milliseconds: Record<string, number[]> = {};
  for (const kind of kinds) {
    cluster.rewind();
    const times: number[] = [];
    for (let change = 0; change < count; change++) {
      const line = cluster.line(kind);
      const start = performance.now();
      node.reportLine(line);
      await node.proxier.idle();
      times.push(node.stopwatch.lastEnd - start);
      // What vanished is gone half a second later: not while something else is measured.
      if (kind === 'vanished' && change % 50 === 49) await sleep(800);
    }
    milliseconds[kind] = times;
  }
  await node.stop();
  return milliseconds;
}

/** What each kind of change sends, with marks around it that a trace of system calls shows. */
async function counts() {
  let names: string[] = [];
  const cluster = new Changes(size, {
    trace: (event) => {
      if (event.kind === 'request') names.push(event.command.name);
    },
  });
  const { node } = cluster;
  await cluster.start();
  const sent: { kind: string; messages: readonly string[] }[] = [];
  const during = async (kind: string, work: () => Promise<unknown>): Promise<void> => {
    names = [];
    mark(`${kind}/begin`);
    await work();
    mark(`${kind}/end`);
    sent.push({ kind, messages: names });
  };
  const report = async (line: string): Promise<void> => {
    node.reportLine(line);
    await node.proxier.idle();
  };
  for (const kind of kinds) {
    cluster.rewind();
    await report(cluster.line(kind));
    await sleep(800);
    for (let change = 0; change < count; change++) {
      const line = cluster.line(kind);
      await during(kind, () => report(line));
      if (kind === 'vanished') await during('vanished, half a second later', () => sleep(800));
    }
  }
  for (let index = services; index < services + count; index++) {
    await during('a Service with its endpoints', async () => {
      node.reportService(service(index));
      node.reportSlices(index, podsOf(index, endpoints));
      await node.proxier.idle();
      await sleep(100);
    });
    await sleep(1200);
  }
  await node.stop();
  return sent;
}

/** Seen by strace, and by nobody else. */
function mark(name: string): void {
  try {
    accessSync(`/bench-mark/${name}`);
  } catch {
    // There is no such file.
  }
}
