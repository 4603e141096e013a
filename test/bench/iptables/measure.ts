import { setTimeout as sleep } from 'node:timers/promises';
import { quantile, type Size } from '../run.ts';
import { clusterPort, ports, positions } from './cluster.ts';
import { type Cost, type ModeOptions, modes, type Programmed } from './modes.ts';
import type { ModeName, Outcome } from './results.ts';
import { busyMilliseconds, kernelMemory, Stand, TimeLimitError } from './stand.ts';

/** How much is measured. */
export interface MeasureOptions extends Size {
  readonly mode: ModeName;
  readonly folder: string;
  readonly load: string;
  readonly limit: number;
  /** Whether packets are measured too. */
  readonly hasTraffic: boolean;
  /** Whether the kernel estimates rates (`net.ipv4.vs.run_estimation`). */
  readonly hasEstimation: boolean;
  /** How many connections to each Service are timed. */
  readonly connections: number;
  /** Seconds of each load. */
  readonly seconds: number;
  /** Takes each value as soon as it is known. */
  readonly report: (measure: string, value: Outcome) => void;
}

/** How often a Service is added and an endpoint changed in a run. */
const changes = 3;

/** Milliseconds after which a change is made once in a run, and not again. */
const slow = 30_000;

/** Milliseconds before memory is read, and again before packets are sent: what was written last has ends of its own. */
const settling = 2_000;

/** How many connections are made before those that are timed. */
const warmUp = 50;

/** One mode at one size on a node of its own, once. Ends early with `timeout` or `failed`. */
export async function measureMode(options: MeasureOptions): Promise<'done' | 'timeout' | 'failed'> {
  const stand = new Stand(options.load);
  let programmed: Programmed | undefined;
  let part = 'program';
  try {
    await stand.ready();
    if (!options.hasEstimation) stand.node.run('sysctl', '-qw', 'net.ipv4.vs.run_estimation=0');
    // The kernel takes apart what was there before in its own time.
    await sleep(settling);
    const before = kernelMemory();
    programmed = await modes[options.mode]({ ...options, stand } satisfies ModeOptions);
    if (programmed.cost !== undefined) reportCost('program', programmed.cost, options);
    await reportMemory(before, programmed, options);
    part = 'traffic';
    if (options.hasTraffic) {
      await sleep(settling);
      await measureTraffic(stand, options);
    }
    for (const kind of ['add', 'change'] as const) {
      part = kind;
      const work = programmed[kind];
      for (let count = 0; work !== undefined && count < changes; count++) {
        const cost = await work();
        reportCost(kind, cost, options);
        if (cost.wallMs > slow) break;
      }
    }
    return 'done';
  } catch (error) {
    const outcome = error instanceof TimeLimitError ? 'timeout' : 'failed';
    console.error(`${options.mode}, ${part}:`, error instanceof Error ? error.message : error);
    options.report(`${part}_wall_ms`, outcome);
    return outcome;
  } finally {
    await programmed?.stop();
    await stand.close();
  }
}

function reportCost(what: string, { wallMs, cpuMs }: Cost, { report }: MeasureOptions): void {
  report(`${what}_wall_ms`, rounded(wallMs));
  report(`${what}_cpu_ms`, rounded(cpuMs));
}

async function reportMemory(
  before: ReturnType<typeof kernelMemory>,
  programmed: Programmed,
  { report }: MeasureOptions,
): Promise<void> {
  const after = kernelMemory();
  for (const field of ['slab', 'vmalloc', 'percpu'] as const)
    report(`${field}_kib`, after[field] - before[field]);
  report('user_kib', await programmed.memory());
}

async function measureTraffic(stand: Stand, options: MeasureOptions): Promise<void> {
  const { services, connections, seconds, report } = options;
  for (const [where, index] of Object.entries(positions(services))) {
    const target = targetOf(index, options);
    await stand.ask('connect', ...target, warmUp);
    const times = (await stand.ask('connect', ...target, connections)).trim().split('\n');
    for (const [name, share] of [
      ['p01', 0.01],
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const)
      report(`connect_${where}_${name}_us`, rounded(quantile(times.map(Number), share)));
  }
  const target = targetOf(positions(services).middle, options);
  for (const kind of ['rr', 'crr'] as const) {
    for (const clients of [1, 32]) {
      const busy = busyMilliseconds();
      const answer = await stand.ask(kind, ...target, clients, seconds * 1000);
      const used = busyMilliseconds() - busy;
      const [count = 0, microseconds = 0] = answer.split(' ').map(Number);
      report(`${kind}_${clients}_per_s`, rounded((count * 1e6) / microseconds));
      report(`${kind}_${clients}_cpu_us`, rounded((used * 1000) / count));
    }
  }
}

/** Where a Service is reached: its cluster IP, or without a proxy its first pod. */
function targetOf(index: number, { mode, endpoints }: MeasureOptions): readonly [string, number] {
  const port = clusterPort(index, { endpoints });
  return mode === 'none' ? [port.endpoints[0] ?? '', ports.pod] : [port.vip, ports.service];
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
