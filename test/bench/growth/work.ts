/**
 * One kind of work at one size, in this process's own network namespace: `work.ts KIND SERVICES ENDPOINTS address|route COUNT [FILE]`.
 * Draws a flame graph of it to the file. Prints one line of JSON. Started by `main.ts`, with `--expose-gc`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { minutes, seconds } from '../../../pkg/runner/clock.ts';
import { Changes, kinds } from '../changes.ts';
import { Node } from '../node.ts';
import { podsOf, service, slicesOf } from '../objects.ts';
import { quantile } from '../run.ts';
import { type Cost, measured as costOf, countNetlink, residentAtRest } from './meter.ts';

/** What a piece of work cost; `each` are milliseconds of single changes. */
export interface Measured extends Cost {
  readonly resting: number;
  readonly rules?: number;
  readonly each?: { readonly p50: number; readonly p99: number };
  /** Milliseconds of writing virtual and real servers the first time and again, after they were deleted. */
  readonly adding?: { readonly first: number; readonly again: number };
}

const [kind = '', ...rest] = process.argv.slice(2);
const [services = 0, endpoints = 0, , count = 0] = rest.map(Number);
const vipBinding = rest[2] === 'route' ? 'route' : 'address';
const size = { services, endpoints };
const file = rest[4];
const title = `${kind} at ${services} × ${endpoints}`;
const drawing = file === undefined ? undefined : { file, title };
const measured = (piece: () => Promise<unknown>) => costOf(piece, drawing);

/** Changes a second while Services or endpoints churn. */
const rate = 100;

const works: Readonly<Record<string, () => Promise<Measured>>> = {
  // A restart is a first sync in a namespace where all stands already.
  'first-sync': firstSync,
  restart: firstSync,
  change: singleChanges,
  'endpoint-churn': endpointChurn,
  'service-churn': serviceChurn,
  audit,
  recreate,
};

const work = works[kind];
if (work === undefined) throw new Error(`work of which kind? ${Object.keys(works).join(' ')}`);
countNetlink();
console.log(JSON.stringify(await work()));

async function firstSync(): Promise<Measured> {
  const node = new Node({ syncPeriod: minutes(24 * 60), vipBinding });
  await sleep(50);
  // What lists cost is no part of it: here their objects are made, besides.
  node.reportObjects(services, endpoints);
  const cost = await measured(async () => {
    node.reportSynced();
    await node.firstSync;
  });
  const { rules } = node.stopwatch.laps;
  return { ...cost, rules: rules.reading + rules.writing, resting: await ended(node) };
}

async function singleChanges(): Promise<Measured> {
  const cluster = await started();
  const { node } = cluster;
  const times: number[] = [];
  const cost = await measured(async () => {
    for (let change = 0; change < count; change++) {
      const line = cluster.line(kindOf(change));
      const begun = performance.now();
      node.reportLine(line);
      await node.proxier.idle();
      times.push(node.stopwatch.lastEnd - begun);
    }
  });
  const each = { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  return { ...cost, each, resting: await ended(node) };
}

async function endpointChurn(): Promise<Measured> {
  const cluster = await started();
  const { node } = cluster;
  const cost = await measured(async () => {
    await evenly((change) => node.reportLine(cluster.line(kindOf(change))));
    await node.proxier.idle();
  });
  return { ...cost, resting: await ended(node) };
}

/** Services come and go: each comes with its slice, and goes as many changes later as a second has. */
async function serviceChurn(): Promise<Measured> {
  const cluster = await started();
  const { node } = cluster;
  const cost = await measured(async () => {
    await evenly((change) => {
      const index = services + Math.floor(change / 2);
      if (change % 2 === 1) {
        node.deleteService(index - rate / 2);
        return;
      }
      node.reportService(service(index));
      node.reportSlices(index, podsOf(index, Math.min(endpoints, 10)));
    });
    await node.proxier.idle();
  });
  return { ...cost, resting: await ended(node) };
}

/** The mean of some audits that find nothing, once the code is compiled. */
async function audit(): Promise<Measured> {
  const node = new Node({ syncPeriod: seconds(1), vipBinding });
  node.reportAll(services, endpoints);
  await node.firstSync;
  const next = () => node.auditDone();
  for (let warmUp = 0; warmUp < 3; warmUp++) await next();
  const times: number[] = [];
  const cost = await measured(async () => {
    for (let each = 0; each < count; each++) times.push(await next());
  });
  const mean = (sum: number) => sum / count;
  return {
    ...cost,
    wall: quantile(times, 0.5),
    cpu: mean(cost.cpu),
    messages: mean(cost.messages),
    calls: mean(cost.calls),
    inCalls: mean(cost.inCalls),
    allocated: mean(cost.allocated),
    resting: await ended(node),
  };
}

/** Adds the same Services again once all of them were deleted and the kernel has none of their virtual servers any more. */
async function recreate(): Promise<Measured> {
  const node = new Node({ syncPeriod: minutes(24 * 60), vipBinding });
  await sleep(50);
  node.reportAll(services, endpoints);
  await node.firstSync;
  const first = node.stopwatch.laps.ipvs.writing;
  const slices = slicesOf(podsOf(0, endpoints)).length;
  for (let index = 0; index < services; index++) node.deleteService(index, slices);
  const { mirror } = node.proxier.view;
  do await sleep(100);
  while (mirror.virtualServers.size > 0);
  await node.proxier.idle();
  node.stopwatch.reset();
  const cost = await measured(async () => {
    node.reportAll(services, endpoints);
    await node.proxier.idle();
  });
  const { ipvs, rules } = node.stopwatch.laps;
  const adding = { first, again: ipvs.writing };
  return { ...cost, adding, rules: rules.reading + rules.writing, resting: await ended(node) };
}

/** Each Service has its turn with one kind of change before the next kind begins. */
function kindOf(change: number): (typeof kinds)[number] {
  return kinds[Math.floor(change / services) % kinds.length] ?? 'added';
}

async function started(): Promise<Changes> {
  const cluster = new Changes(size, { vipBinding });
  await cluster.start();
  return cluster;
}

/** Calls {@link rate} times a second, `count` times, whatever the calls start. */
async function evenly(act: (index: number) => void): Promise<void> {
  const begun = performance.now();
  for (let index = 0; index < count; index++) {
    act(index);
    const due = begun + ((index + 1) * 1000) / rate;
    const left = due - performance.now();
    if (left > 1) await sleep(left);
  }
}

/** Stops a node. Returns the bytes that were resident before, at rest. */
async function ended(node: Node): Promise<number> {
  await sleep(1_000);
  const resting = residentAtRest();
  await node.stop();
  return resting;
}
