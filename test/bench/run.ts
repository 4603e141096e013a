import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { bundled } from '../support/program.ts';
import { recordings } from './recording.ts';

/** How many Services with how many endpoints each. */
export interface Size {
  readonly services: number;
  readonly endpoints: number;
}

/** `1,000 × 10`: Services and endpoints of each. */
export function printSize({ services, endpoints }: Size): string {
  return `${services.toLocaleString('en')} × ${endpoints}`;
}

/** The options of a measurement. */
interface RunOptions extends Size {
  readonly folder: string;
  readonly count?: number;
  /** Addresses, if it is not said. */
  readonly vipBinding?: 'address' | 'route';
  /** What the measurement is started by: strace, say. */
  readonly under?: readonly string[];
}

/** Runs work in a fresh network namespace: whatever was deleted in a used one slows down what is added. */
export function inNamespace<T>(work: (namespace: Namespace) => T): T {
  const namespace = createNamespace();
  try {
    return work(namespace);
  } finally {
    namespace.remove();
  }
}

/** Runs work with a folder of its own. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'kube-proxy-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let measurements: string | undefined;

/** Bundles `measure.ts`, as Node's own stripping of types is slow, and crashes at times on an emulated processor. */
export async function prepareMeasurements(): Promise<void> {
  measurements = await bundled('test/bench/measure.ts');
}

/** Runs a measurement of `measure.ts` in a process of its own. They must be prepared. */
export function measure<T>(namespace: Namespace, what: string, options: RunOptions): T {
  const { folder, services, endpoints, count = 0, vipBinding = 'address', under = [] } = options;
  if (measurements === undefined) throw new Error('no measurements are prepared');
  const command = [
    ...under,
    process.execPath,
    measurements,
    what,
    folder,
    services,
    endpoints,
    count,
    vipBinding,
  ];
  return JSON.parse(output(namespace, command.map(String))) as T;
}

/** What the kernel alone takes for what a cluster needs, in milliseconds; `addresses` are routes where these bind VIPs. */
export type Floor = Readonly<Record<(typeof recordings)[number], number>>;

/** Compiles the floor; without a compiler the same loop runs through koffi, and that is said. */
export function prepareFloor(folder: string): (namespace: Namespace, size: Size) => Floor {
  const program = join(folder, 'floor');
  const source = join(import.meta.dirname, 'floor.c');
  const hasC =
    spawnSync('cc', ['-O2', '-Wall', '-o', program, source], { stdio: 'inherit' }).status === 0;
  console.error(
    hasC
      ? 'the floor is the C program floor.c'
      : 'no C compiler here: the floor is the same loop through koffi',
  );
  return (namespace, size) => {
    const played = hasC
      ? parseFloor(output(namespace, [program, ...recordings.map((name) => join(folder, name))]))
      : measure<readonly Played[]>(namespace, 'floor', { folder, ...size });
    const refused = played.reduce((sum, part) => sum + part.refused, 0);
    if (refused > 0) throw new Error(`the kernel refused ${refused} messages of the floor`);
    const [ipset = 0, ipvs = 0, addresses = 0, audit = 0] = played.map(
      ({ milliseconds }) => milliseconds,
    );
    return { ipset, ipvs, addresses, audit };
  };
}

type Played = { readonly milliseconds: number; readonly refused: number };

function parseFloor(text: string): readonly Played[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [microseconds = 0, , , refused = 0] = line.split(' ').map(Number);
      return { milliseconds: microseconds / 1000, refused };
    });
}

/** Runs a command in a namespace; its standard output. What it complains of is passed on. */
export function output(namespace: Namespace, command: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(
    'ip',
    ['netns', 'exec', namespace.name, ...command],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  const complaints = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('I'));
  for (const line of complaints) console.error(line);
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}`);
  return stdout;
}

/** The value that `share` of all values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The value that half of them do not exceed; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(head),
    line(head.map((_, at) => (at === 0 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n');
}

/** `12.3 ms`, `1.23 s`. */
export function printTime(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 2 : 1)} ms`;
}

/** `1.23 ×`: how many times another one. */
export function printRatio(value: number, floor: number): string {
  return `${(value / floor).toFixed(2)} ×`;
}
