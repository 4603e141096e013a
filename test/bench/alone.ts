/**
 * What the program itself costs, without the kernel: a first sync whose messages to IPVS are made and then accepted by nobody.
 * After it, what one change costs and allocates, for Services of three sizes. What stands in for the kernel is reported apart: the
 * time in which it takes writes, and what it holds of sets and addresses.
 * Needs neither root nor IPVS: `hack/run node --expose-gc test/bench/alone.ts [services] [endpoints]`. Time is that of the CPU, so
 * that a busy machine matters little. With `--flame-graph FILE` it draws as SVG where the time of the first sync goes. V8 compiles as in
 * the program; with `--default-optimization` as it does by itself.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { compilingFirstSync, postponeOptimization } from '../../cmd/kube-proxy/optimization.ts';
import { createReporter } from '../../cmd/kube-proxy/reporter.ts';
import { ProxyHealth } from '../../pkg/health/proxy-health.ts';
import { NetlinkIpvs } from '../../pkg/ipvs/netlink.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { silentLogger } from '../../pkg/log/memory.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { Connection } from '../../pkg/netlink/connection.ts';
import { GenericFamily } from '../../pkg/netlink/generic.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import { deviceName } from '../../pkg/proxy/desired/device.ts';
import { kernelOf } from '../../pkg/proxy/options.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import { minutes, systemClock } from '../../pkg/runner/clock.ts';
import { FakeKernel } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { acceptingSocket } from './accepting-socket.ts';
import { allocated } from './allocation.ts';
import { flameGraph } from './flame-graph.ts';
import { podsOf, service, slice } from './objects.ts';
import { startProfile } from './profiler.ts';
import { printTime } from './run.ts';
import { longestTurn } from './turns.ts';

/** Nobody has to be asked for its number. */
class SomeFamily extends GenericFamily {
  override id(): number {
    return 30;
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'flame-graph': { type: 'string' },
    'default-optimization': { type: 'boolean', default: false },
  },
});
const [services = 10_000, endpoints = 10] = positionals.map(Number);
if (!values['default-optimization']) postponeOptimization();
const drawing = values['flame-graph'];
const clock = systemClock;
const log = silentLogger;
const socket = acceptingSocket();
const kernel = new FakeKernel();
/** Milliseconds of CPU in which the stand-in for the kernel took what was written. */
let standInTime = 0;
timeStandIn();
const connection = new Connection(() => socket, { timeout: 1000 });
const { promise: done, resolve } = Promise.withResolvers<void>();
let onSynced: () => void = () => undefined;
const proxier = makeProxier(resolve);
const stop = new AbortController();
const run = proxier.run(stop.signal);
const reducer = new Reducer();

const programHeap = liveHeap();
const taking = cpu();
for (let index = 0; index < services; index++) {
  proxier.onChange(reducer.change('Service', service(index)));
  proxier.onChange(reducer.change('EndpointSlice', slice(index, podsOf(index, endpoints))));
}
console.log(`${services} Services × ${endpoints}: taken in with ${taking()} of CPU`);
standInTime = 0;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const longest = longestTurn(done);
const profiling = drawing === undefined ? undefined : await startProfile();
const syncing = cpu();
for (const kind of ['Service', 'EndpointSlice', 'Node'] as const)
  proxier.onChange({ type: 'synced', kind });
await done;
if (drawing !== undefined && profiling !== undefined) {
  const profile = await profiling.stop();
  const title = `The first sync of ${services.toLocaleString('en')} Services × ${endpoints}`;
  writeFileSync(drawing, flameGraph(profile, { title, without: startProfile.name }));
}
console.log(
  `first sync with ${syncing()} of CPU, of which ${printTime(standInTime)} are the stand-in's; ${socket.sends()} sends to IPVS`,
);
delay.disable();
console.log(
  `event loop held for ${printTime(delay.percentile(99) / 1e6)} (p99), ${printTime(delay.max / 1e6)} (longest), of which CPU of the thread at most ${printTime(await longest)}`,
);
const heap = liveHeap();
const resident = process.memoryUsage().rss / 2 ** 20;
console.log(
  `heap ${heap.toFixed(1)} MiB, of which ${programHeap.toFixed(0)} were there before the objects; resident ${resident.toFixed(0)} MiB`,
);
for (const size of [
  { name: 'a Service with 10 endpoints', services: 100, slices: 1, endpoints: 10 },
  { name: 'a Service with one slice of 100', services: 100, slices: 1, endpoints: 100 },
  { name: 'a Service with 100 slices of 100', services: 1, slices: 100, endpoints: 100 },
])
  await measureChanges(size);
stop.abort();
await run;
const before = liveHeap();
await forgetStandIn();
console.log(`the stand-in held ${(before - liveHeap()).toFixed(0)} MiB of the heap`);

interface ChangeSize {
  readonly name: string;
  readonly services: number;
  readonly slices: number;
  readonly endpoints: number;
}

/** What it costs that a slice has one endpoint more, from the reduced slice on. */
async function measureChanges({ name, ...size }: ChangeSize): Promise<void> {
  const first = services + 2 * size.endpoints + size.slices;
  for (let index = first; index < first + size.services; index++)
    proxier.onChange(reducer.change('Service', service(index)));
  // What they add asks for, such as looking for stale flows, is over.
  await carryOut(changedSlices(first, size));
  await sleep(1_000);
  const grown = (more: number) =>
    changedSlices(first, { ...size, endpoints: size.endpoints + more });
  const warmUps = 3;
  for (let more = 0; more < warmUps; more++) await carryOut(grown(more));
  const times: number[] = [];
  for (let more = warmUps; more < 2 * warmUps; more++) times.push(await carryOut(grown(more)));
  const last = grown(2 * warmUps);
  const bytes = await allocated(() => carryOut(last));
  const kibibytes = (bytes / last.length / 1024).toFixed(0);
  console.log(
    `one change of ${name}: ${printTime(Math.min(...times))} of CPU, ${kibibytes} KiB allocated`,
  );
}

/** Carries changes out, one after the other; milliseconds of CPU for each. */
async function carryOut(changes: readonly Change[]): Promise<number> {
  const start = process.cpuUsage();
  for (const change of changes) {
    const synced = new Promise<void>((resolve) => (onSynced = resolve));
    proxier.onChange(change);
    await synced;
  }
  const { user, system } = process.cpuUsage(start);
  await proxier.idle();
  return (user + system) / 1000 / changes.length;
}

/** The slices of some Services, reduced. */
function changedSlices(
  first: number,
  { services: count, slices, endpoints: pods }: Omit<ChangeSize, 'name'>,
): readonly Change[] {
  const numbers = Array.from({ length: count * slices }, (_, number) => number);
  return numbers.map((number) => {
    const index = first + Math.floor(number / slices);
    const part = number % slices;
    const object = slice(index, podsOf(number + 1, 200).slice(0, pods)) as {
      metadata: { name: string };
    };
    object.metadata.name += `-${part}`;
    return reducer.change('EndpointSlice', object);
  });
}

/** What is alive, in MiB. */
function liveHeap(): number {
  // Twice, as what has a finalizer goes the second time.
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** Measures how long the stand-in takes for writes of sets and addresses; that of IPVS only reads where a message ends. */
function timeStandIn(): void {
  const { ipsets, links } = kernel;
  const writeEntries = ipsets.write.bind(ipsets);
  const writeAddresses = links.write.bind(links);
  ipsets.write = (batch) => timed(() => writeEntries(batch));
  links.write = (batch) => timed(() => writeAddresses(batch));
}

function timed<T>(work: () => T): T {
  const start = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(start);
  standInTime += (user + system) / 1000;
  return result;
}

/** Takes all sets and addresses away. */
async function forgetStandIn(): Promise<void> {
  for (const { header } of await kernel.ipsets.sets()) kernel.ipsets.destroy(header.name);
  kernel.links.deleteLink(deviceName);
}

/** How much CPU time passes from now on. */
function cpu(): () => string {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return printTime((user + system) / 1000);
  };
}

function makeProxier(onFirstSync: () => void): Proxier {
  const health = new ProxyHealth({ clock, syncPeriod: minutes(60) });
  const ipvs = new NetlinkIpvs(connection, new SomeFamily(connection, 'IPVS'));
  const plain = createReporter({ metrics: createMetrics(), health, clock });
  const reporter = values['default-optimization'] ? plain : compilingFirstSync(plain);
  return createProxier(
    { ...kernelOf(kernel), ipvs },
    { ...proxierSettings, syncPeriod: minutes(60) },
    {
      clock,
      log,
      reporter: {
        ...reporter,
        firstSyncDone() {
          reporter.firstSyncDone();
          onFirstSync();
        },
        synced: () => onSynced(),
      },
    },
  );
}
