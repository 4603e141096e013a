import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ip } from '../../support/addresses.ts';
import type { Namespace } from '../../support/namespace.ts';
import { type Host, Network } from '../../support/network/network.ts';
import { podNetwork, ports } from './cluster.ts';

/** What runs past its limit of time. */
export class TimeLimitError extends Error {}

/**
 * A node with a pod that asks, and one pod that stands for all that answer: it has every address of {@link podNetwork}.
 *
 *     client 10.200.0.2 ── node, whose rules are measured ── server 10.201.0.2, 10.0.0.0/15
 *                          192.168.0.10
 */
export class Stand {
  readonly load: string;
  readonly #network = new Network();
  readonly #client: Host;
  readonly #server: ChildProcess;

  /** `load` is the program that {@link compileLoad} made. */
  constructor(load: string) {
    this.load = load;
    const address = '10.201.0.2';
    this.#network.addClient('client-outside', [ip('203.0.113.5')]); // the node's own address is on that link
    this.#client = this.#network.addPod('client', [ip('10.200.0.2')]);
    const server = this.#network.addPod('server', [ip(address)]);
    // One neighbour for all of them: a neighbour each would overflow the table at a thousand.
    this.node.run(
      ...(['ip', 'route', 'add', podNetwork, 'via', address, 'dev', 'v-server', 'onlink'] as const),
    );
    server.namespace.run('ip', 'route', 'add', 'local', podNetwork, 'dev', 'lo');
    this.#client.namespace.run('sysctl', '-qw', 'net.ipv4.ip_local_port_range=1024 65535');
    this.#server = spawnIn(server.namespace, [load, 'serve', `${ports.pod}`]);
  }

  /** The namespace whose rules are measured. */
  get node(): Namespace {
    return this.#network.node.namespace;
  }

  /** Ends once the pods answer; throws if they never will. */
  async ready(): Promise<void> {
    const { stdout } = this.#server;
    if (stdout === null) return;
    const failed = ended(this.#server).then(() => {
      throw new Error('the server of the pods ended');
    });
    await Promise.race([once(stdout, 'data'), failed]);
  }

  /** Runs the load from the client pod; what it printed. */
  ask(...words: readonly (string | number)[]): Promise<string> {
    return outputOf(spawnIn(this.#client.namespace, [this.load, ...words.map(String)]), {
      limit: 120_000,
    });
  }

  /** Takes everything away. */
  async close(): Promise<void> {
    this.#server.kill('SIGKILL');
    await ended(this.#server);
    this.#network.close();
  }
}

/** Compiles the load into a folder; its path. */
export function compileLoad(folder: string): string {
  const program = join(folder, 'load');
  const source = join(import.meta.dirname, 'load.c');
  const { status } = spawnSync('cc', ['-O2', '-Wall', '-o', program, source], { stdio: 'inherit' });
  if (status !== 0) throw new Error('a C compiler is needed: cc');
  return program;
}

/** Starts a command in a namespace: the child is that command. */
export function spawnIn({ name }: Namespace, command: readonly string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', name, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Waits until a process has ended, whenever that was. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** What a command prints until it ends; throws if it fails, and a {@link TimeLimitError} if it takes longer than `limit` milliseconds. */
export async function outputOf(child: ChildProcess, { limit }: { limit: number }): Promise<string> {
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, limit);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  const what = child.spawnargs.slice(4, 9).join(' ');
  if (isLate) throw new TimeLimitError(`${what}: not within ${limit / 1000} s`);
  if (code !== 0) throw new Error(`${what}: status ${code}`);
  return String(Buffer.concat(chunks));
}

/** Fields of /proc/meminfo that the rules of a node grow, in KiB. */
export function kernelMemory(): Readonly<Record<'slab' | 'vmalloc' | 'percpu', number>> {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return { slab: field('Slab'), vmalloc: field('VmallocUsed'), percpu: field('Percpu') };
}

/** Milliseconds that all processors have worked so far, whoever for: packets are forwarded in nobody's name. */
export function busyMilliseconds(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).slice(1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (fields ?? []).map(Number);
  return (user + nice + system + irq + softirq) * 10;
}
