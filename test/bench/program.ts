import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { link, NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { EventSocket } from '../../pkg/netlink/events.ts';
import { deviceName } from '../../pkg/proxy/desired/device.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { firstWriteLine } from './first-write.ts';
import { list } from './objects.ts';
import { printSize, printTime, type Size, table } from './run.ts';

const RTNLGRP_LINK = 1;
const RTM_NEWLINK = 16;

/** How long the program is left alone before its memory is read, in milliseconds. */
const rest = 10_000;

const top = resolve(import.meta.dirname, '../..');
const programs = { bundle: 'dist/kube-proxy.js', source: 'cmd/kube-proxy/main.ts' } as const;

/** No object at all. */
export const nothing: Size = { services: 0, endpoints: 0 };

/** What one run of the program showed. */
export interface Run {
  /** Milliseconds from the start of the process to its first write, and to the end of its first sync. */
  readonly firstWrite: number;
  readonly firstSync: number;
  /** Milliseconds that a process of Node takes that does nothing, right before: what a busy machine does to it, it does to the others too. */
  readonly emptyProcess: number;
  /** Milliseconds of CPU until the first write, in steps of 10: on a busy machine the other times are those of the others. */
  readonly firstWriteCpu: number;
  /** The same of the test API server meanwhile, whose answers the program waits for: it makes them anew for each client. */
  readonly serverCpu: number;
  /** MiB, at rest and at most. */
  readonly resident: number;
  readonly peak: number;
  /** Share of a CPU at rest, in per cent. */
  readonly load: number;
}

/** The program as a process, over the API and over manifests: memory, and how soon it is at work. */
export async function benchProgram(sizes: readonly Size[], folder: string): Promise<void> {
  const cases = Object.entries(programs).flatMap(([name, file]) =>
    (['api', 'manifests'] as const).map((source) => ({ name, file, source })),
  );
  const rows: string[][] = [];
  for (const { name, file, source } of cases) {
    if (!existsSync(join(top, file))) {
      console.error(`no ${file}: "npm run build" makes it`);
      continue;
    }
    for (const size of [nothing, ...sizes]) {
      const run = await runProgram({ file, source, size, folder });
      rows.push([`${name}, ${source}, ${printObjects(size)}`, ...printRun(run)]);
    }
  }
  console.log('\n## The program as a process\n');
  printRuns(rows);
}

/** Prints what runs showed, as a table; each row begins with what ran. */
export function printRuns(rows: readonly (readonly string[])[]): void {
  console.log(
    table(
      [
        '',
        'resident',
        'at most',
        'an empty process',
        'first write after',
        'with CPU of',
        'and of the API server',
        'first sync done after',
        'CPU at rest',
      ],
      rows,
    ),
  );
}

/** What a run showed, as cells of a table. */
export function printRun(run: Run): readonly string[] {
  return [
    `${run.resident.toFixed(0)} MiB`,
    `${run.peak.toFixed(0)} MiB`,
    printTime(run.emptyProcess),
    printTime(run.firstWrite),
    printTime(run.firstWriteCpu),
    printTime(run.serverCpu),
    printTime(run.firstSync),
    `${run.load.toFixed(1)} %`,
  ];
}

/** `1,000 × 10`, or `nothing`. */
export function printObjects(size: Size): string {
  return size.services === 0 ? 'nothing' : printSize(size);
}

interface Case {
  /** The program, from the top folder. */
  readonly file: string;
  readonly source: 'api' | 'manifests';
  readonly size: Size;
  readonly folder: string;
  /** Flags of Node besides those that the program's launchers give it. */
  readonly nodeFlags?: readonly string[];
  /** Whether the program prints {@link firstWriteLine} where it makes no device. */
  readonly saysFirstWrite?: boolean;
}

/** Hears when our device appears in a namespace. */
function firstDevice(namespace: Namespace): { appeared: Promise<unknown>; close: () => void } {
  const { promise: appeared, resolve: report } = Promise.withResolvers<undefined>();
  const events = new EventSocket(NETLINK_ROUTE, {
    netns: namespace.path,
    groups: [RTNLGRP_LINK],
    onMessage({ type, reader }) {
      if (type === RTM_NEWLINK && link.decode(reader).attributes.name === deviceName)
        report(undefined);
    },
    onOverflow: () => undefined,
  });
  return { appeared, close: () => events.close() };
}

/** Runs the program in a namespace of its own until it rests. */
export async function runProgram(what: Case): Promise<Run> {
  const namespace = createNamespace();
  const children: ChildProcess[] = [];
  try {
    const flags = await startSource(namespace, { ...what, children });
    const device = what.saysFirstWrite === true ? undefined : firstDevice(namespace);
    const [server] = children;
    const serverTicks = () => (server === undefined ? 0 : ticksOf(server));
    const serverBefore = serverTicks();
    const emptyProcess = await timeOfEmptyProcess(namespace);
    const start = performance.now();
    const child = startNode(namespace, [
      ...(what.nodeFlags ?? []),
      what.file,
      ...flags,
      ...commonFlags,
    ]);
    children.push(child);
    const written = (device?.appeared ?? said(child, firstWriteLine)).then(() => ({
      time: performance.now(),
      firstWriteCpu: ticksOf(child) * 10,
      serverCpu: (serverTicks() - serverBefore) * 10,
    }));
    if (!(await said(child, '"first sync done"'))) throw new Error('the program ended');
    const firstSync = performance.now() - start;
    const { time, ...cpu } = await written;
    device?.close();
    await sleep(rest / 2);
    const load = await loadOf(child);
    const { resident, peak } = memoryOf(child);
    const firstWrite = time - start;
    return { firstWrite, ...cpu, firstSync, emptyProcess, resident, peak, load };
  } finally {
    for (const child of children.reverse()) await end(child);
    namespace.remove();
  }
}

const commonFlags = [
  '--hostname-override=here',
  '--proxy-mode=ipvs',
  '--cluster-cidr=10.0.0.0/8',
  '--healthz-bind-address=127.0.0.1:10256',
  '--metrics-bind-address=127.0.0.1:10249',
];

/** Puts the objects where the program finds them; the flags that say where. */
async function startSource(
  namespace: Namespace,
  { source, size, folder, children }: Case & { children: ChildProcess[] },
): Promise<readonly string[]> {
  const manifests = join(folder, 'manifests');
  rmSync(manifests, { recursive: true, force: true });
  mkdirSync(manifests);
  const objects = join(manifests, 'all.json');
  writeFileSync(objects, JSON.stringify(list(size.services, size.endpoints)));
  if (source === 'manifests') return [`--ipvs-manifests=${manifests}`];
  const kubeconfig = join(folder, 'kubeconfig');
  const server = startNode(namespace, [
    ...['test/apiserver/main.ts', '--listen', '127.0.0.1:6443', '--load', objects],
    ...['--kubeconfig-out', kubeconfig, '--service-cluster-ip-range', '172.30.0.0/16'],
  ]);
  children.push(server);
  if (!(await said(server, 'https://'))) throw new Error('the test API server ended');
  return [`--kubeconfig=${kubeconfig}`];
}

function startNode(namespace: Namespace, words: readonly string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', namespace.name, process.execPath, ...words], {
    cwd: top,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function timeOfEmptyProcess(namespace: Namespace): Promise<number> {
  const start = performance.now();
  await once(startNode(namespace, ['-e', '0']), 'exit');
  return performance.now() - start;
}

/** Waits until a process prints a line with some words in it; false if it ends before. Complaints are passed on. */
function said(child: ChildProcess, words: string): Promise<boolean> {
  const { promise, resolve: report } = Promise.withResolvers<boolean>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface(stream).on('line', (line) => {
      if (line.includes(words)) report(true);
      else if (/^(E|kube-proxy: )|rror/.test(line)) console.error(line);
    });
  }
  child.once('exit', () => report(false));
  return promise;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** `ip netns exec` becomes the program, so its process is the child. */
function memoryOf({ pid }: ChildProcess): { resident: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (name: string) =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { resident: mebibytes('VmRSS'), peak: mebibytes('VmHWM') };
}

/** The share of a CPU that a process takes, in per cent. */
async function loadOf(child: ChildProcess): Promise<number> {
  const before = ticksOf(child);
  await sleep(rest / 2);
  return (ticksOf(child) - before) / (rest / 2 / 1000);
}

/** How much CPU a process has taken so far, in hundredths of a second. */
function ticksOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
