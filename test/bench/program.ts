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
import { list } from './objects.ts';
import { printSize, printTime, type Size, table } from './run.ts';

const RTNLGRP_LINK = 1;
const RTM_NEWLINK = 16;

/** How long the program is left alone before its memory is read, in milliseconds. */
const rest = 10_000;

const top = resolve(import.meta.dirname, '../..');
const programs = { bundle: 'dist/kube-proxy.js', source: 'cmd/kube-proxy/main.ts' } as const;
type Program = keyof typeof programs;

/** What one run of the program showed. */
interface Run {
  /** Milliseconds from the start of the process to its first write, and to the end of its first sync. */
  readonly firstWrite: number;
  readonly firstSync: number;
  /** MiB, at rest and at most. */
  readonly resident: number;
  readonly peak: number;
  /** Share of a CPU at rest, in per cent. */
  readonly load: number;
}

/** The program as a process, over the API and over manifests: memory, and how soon it is at work. */
export async function benchProgram(sizes: readonly Size[], folder: string): Promise<void> {
  const nothing: Size = { services: 0, endpoints: 0 };
  const cases = (Object.keys(programs) as Program[]).flatMap((program) =>
    (['api', 'manifests'] as const).map((source) => ({ program, source })),
  );
  const rows: string[][] = [];
  for (const { program, source } of cases) {
    if (!existsSync(join(top, programs[program]))) {
      console.error(`no ${programs[program]}: "npm run build" makes it`);
      continue;
    }
    for (const size of [nothing, ...sizes]) {
      const run = await runProgram({ program, source, size, folder });
      rows.push([
        `${program}, ${source}, ${size.services === 0 ? 'nothing' : printSize(size)}`,
        `${run.resident.toFixed(0)} MiB`,
        `${run.peak.toFixed(0)} MiB`,
        printTime(run.firstWrite),
        printTime(run.firstSync),
        `${run.load.toFixed(1)} %`,
      ]);
    }
  }
  console.log('\n## The program as a process\n');
  console.log(
    table(
      ['', 'resident', 'at most', 'first write after', 'first sync done after', 'CPU at rest'],
      rows,
    ),
  );
}

interface Case {
  readonly program: Program;
  readonly source: 'api' | 'manifests';
  readonly size: Size;
  readonly folder: string;
}

async function runProgram(what: Case): Promise<Run> {
  const namespace = createNamespace();
  const children: ChildProcess[] = [];
  try {
    const flags = await startSource(namespace, { ...what, children });
    const written = Promise.withResolvers<number>();
    const events = new EventSocket(NETLINK_ROUTE, {
      netns: namespace.path,
      groups: [RTNLGRP_LINK],
      onMessage({ type, reader }) {
        if (type === RTM_NEWLINK && link.decode(reader).attributes.name === deviceName)
          written.resolve(performance.now());
      },
      onOverflow: () => undefined,
    });
    const start = performance.now();
    const child = startNode(namespace, [programs[what.program], ...flags, ...commonFlags]);
    children.push(child);
    const done = await said(child, '"first sync done"');
    const firstSync = performance.now() - start;
    const firstWrite = (await written.promise) - start;
    events.close();
    await sleep(rest / 2);
    const load = await loadOf(child);
    const { resident, peak } = memoryOf(child);
    if (!done) throw new Error('the program ended');
    return { firstWrite, firstSync, resident, peak, load };
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

/** Waits until a process prints a line with some words in it; false if it ends before. Complaints are passed on. */
function said(child: ChildProcess, words: string): Promise<boolean> {
  const { promise, resolve: report } = Promise.withResolvers<boolean>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface(stream).on('line', (line) => {
      if (line.includes(words)) report(true);
      else if (line.startsWith('E') || line.includes('rror')) console.error(line);
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
async function loadOf({ pid }: ChildProcess): Promise<number> {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  await sleep(rest / 2);
  return (ticks() - before) / (rest / 2 / 1000); // a hundredth of a second each
}
