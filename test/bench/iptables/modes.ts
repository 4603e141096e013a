import { type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chainCommands } from '../../support/modes/iptables-rules.ts';
import { bundled } from '../../support/program.ts';
import type { Size } from '../run.ts';
import { type ClusterPort, clusterPort, clusterPorts, positions } from './cluster.ts';
import { restoreInput } from './iptables-rules.ts';
import { addedInput, changedInput, tableInput } from './nftables-rules.ts';
import type { ModeName } from './results.ts';
import { ended, outputOf, type Stand, spawnIn, TimeLimitError } from './stand.ts';

/** What it took to write something. */
export interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** A node whose Services are written. */
export interface Programmed {
  /** What everything took; `undefined` where nothing is to be written. */
  readonly cost: Cost | undefined;
  /** Adds one Service more. */
  readonly add?: () => Promise<Cost>;
  /** Replaces an endpoint of the Service in the middle. */
  readonly change?: () => Promise<Cost>;
  /** KiB: what the process of the mode has, or the most that a program which writes its rules had. */
  readonly memory: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Where a mode works. */
export interface ModeOptions extends Size {
  readonly stand: Stand;
  readonly folder: string;
  /** How long all may take to be written, in milliseconds. */
  readonly limit: number;
}

/** Writes a whole cluster into a node, in each mode. */
export const modes: Readonly<Record<ModeName, (options: ModeOptions) => Promise<Programmed>>> = {
  ipvs: programIpvs,
  'iptables-nft': (options) => programIptables('iptables-nft', options),
  'iptables-legacy': (options) => programIptables('iptables-legacy', options),
  nftables: (options) =>
    programRules(options, {
      everything: tableInput,
      added: (_, port) => addedInput(port),
      changed: (_, port, before) => changedInput(port, before),
      command: (file) => `exec nft -f ${file}`,
    }),
  none: () =>
    Promise.resolve({
      cost: undefined,
      memory: () => Promise.resolve(0),
      stop: () => Promise.resolve(),
    }),
};

function programIptables(program: string, options: ModeOptions): Promise<Programmed> {
  const restore = (file: string) => `exec ${program}-restore -w 5 --noflush --counters <${file}`;
  const one = (all: readonly ClusterPort[], port: ClusterPort) => restoreInput(all, [port]);
  return programRules(options, {
    everything: restoreInput,
    added: one,
    changed: one,
    command: restore,
    before: chainCommands(program),
  });
}

interface RuleMode {
  readonly everything: (all: readonly ClusterPort[]) => string;
  readonly added: (all: readonly ClusterPort[], port: ClusterPort) => string;
  readonly changed: (all: readonly ClusterPort[], port: ClusterPort, before: ClusterPort) => string;
  /** What writes a file of rules, as a line of a shell. */
  readonly command: (file: string) => string;
  /** Lines of a shell that come first at the start. */
  readonly before?: readonly string[];
}

/** A mode whose programs read text. Making the text is not counted: upstream does that in Go. */
async function programRules(options: ModeOptions, mode: RuleMode): Promise<Programmed> {
  const { services, endpoints } = options;
  const file = join(options.folder, 'rules');
  let most = 0;
  const write = async (input: string, before: readonly string[] = []): Promise<Cost> => {
    writeFileSync(file, input);
    const script = [...before, mode.command(file)].join('\n');
    const { kib, ...cost } = await runTimed(options, script);
    most = Math.max(most, kib);
    return cost;
  };
  const all = [...clusterPorts(options)];
  const cost = await write(mode.everything(all), mode.before);
  const { middle } = positions(services);
  let turn = 0;
  return {
    cost,
    add: () => {
      const port = clusterPort(all.length, { endpoints });
      all.push(port);
      return write(mode.added(all, port));
    },
    change: () => {
      const before = clusterPort(middle, { endpoints, turn });
      turn++;
      const port = clusterPort(middle, { endpoints, turn });
      all[middle] = port;
      return write(mode.changed(all, port, before));
    },
    memory: () => Promise.resolve(most),
    stop: () => Promise.resolve(),
  };
}

async function runTimed(
  { stand, limit }: ModeOptions,
  script: string,
): Promise<Cost & { readonly kib: number }> {
  const child = spawnIn(stand.node, [stand.load, 'run', 'sh', '-ec', script]);
  const last = (await outputOf(child, { limit })).trim().split('\n').at(-1) ?? '';
  const [wall = 0, user = 0, system = 0, kib = 0] = last.split(' ').map(Number);
  return { wallMs: wall / 1000, cpuMs: (user + system) / 1000, kib };
}

async function programIpvs(options: ModeOptions): Promise<Programmed> {
  const { stand, services, endpoints, limit } = options;
  // As in the image: one file, and the same settings for memory.
  const script = await bundled('test/bench/iptables/node-process.ts');
  const settings = ['env', 'MALLOC_ARENA_MAX=1', process.execPath, '--max-semi-space-size=4'];
  const child = spawnIn(stand.node, [...settings, script, `${services}`, `${endpoints}`]);
  // One that has ended gives no answer, which says so.
  child.stdin?.on('error', () => undefined);
  const answers = answersOf(child, limit);
  const ask = async <T>(word: string): Promise<T> => {
    child.stdin?.write(`${word}\n`);
    return (await answers()) as T;
  };
  const stop = async () => {
    child.stdin?.end();
    await ended(child);
  };
  return {
    cost: (await answers()) as Cost,
    add: () => ask('add'),
    change: () => ask('change'),
    memory: async () => (await ask<{ kib: number }>('memory')).kib,
    stop,
  };
}

/** The next line of JSON that a process prints. Kills it if that takes longer than `limit` milliseconds. */
function answersOf(child: ChildProcess, limit: number): () => Promise<unknown> {
  if (child.stdout === null) throw new Error('a process without output');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async () => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, limit);
    // The log may come on the same stream.
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      if (!line.value.startsWith('{')) continue;
      clearTimeout(timer);
      return JSON.parse(line.value);
    }
    clearTimeout(timer);
    if (isLate) throw new TimeLimitError(`not within ${limit / 1000} s`);
    await ended(child);
    throw new Error(`the process ended: ${child.signalCode ?? `status ${child.exitCode}`}`);
  };
}
