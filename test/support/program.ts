import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundle, copyKoffi } from '../../hack/bundle.ts';
import type { Namespace } from './namespace.ts';
import { patience } from './patience.ts';

/** What a program is started with. */
export interface ProgramOptions {
  /** Besides those that suit tests: the name of the node is `here`, and what is served is served on loopback. */
  readonly flags: readonly string[];
  /** A command that starts it in its turn; by default nothing stands between. */
  readonly before?: readonly string[];
}

/** How a program ended: with a status, or by a signal. */
export interface Ending {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** kube-proxy as it is shipped, a process of its own in a network namespace. Whoever starts it ends it. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  #output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#ended = once(child, 'close').then(([status, signal]) => ({ status, signal }));
  }

  /** Starts it; it is at work some time later. */
  static async start(namespace: Namespace, options: ProgramOptions): Promise<Program> {
    const { flags, before = [] } = options;
    const argv = [...before, process.execPath, await bundled(), ...commonFlags, ...flags];
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    return new Program(
      spawn('ip', ['netns', 'exec', namespace.name, ...argv], { stdio: [...stdio] }),
    );
  }

  /** Of the process: all that start it in their turn become it. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Everything that it has said. */
  get output(): string {
    return this.#output;
  }

  /** Waits until a condition holds; throws if the program ends before, or if it takes too long. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patience;
    while (!condition()) {
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (hasEnded || performance.now() > deadline)
        throw new Error(`${hasEnded ? 'it ended' : 'gave up waiting'}:\n${this.#output}`);
      await sleep(2);
    }
  }

  /** Waits until it has said something. */
  async said(text: string): Promise<void> {
    await this.until(() => this.#output.includes(text));
  }

  /** Waits for its end; throws if it goes on for too long. */
  async ended(): Promise<Ending> {
    const over = new AbortController();
    const late = sleep(patience, undefined, over).then(() => {
      throw new Error(`it goes on:\n${this.#output}`);
    });
    return await Promise.race([this.#ended, late]).finally(() => over.abort());
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Ending> {
    this.#child.kill(signal);
    return await this.ended();
  }
}

const commonFlags = [
  '--hostname-override=here',
  '--proxy-mode=ipvs',
  '--cluster-cidr=10.0.0.0/8,fd00:10::/32',
  '--metrics-bind-address=127.0.0.1',
  '--healthz-bind-address=',
];

const made = new Map<string, Promise<string>>();

/**
 * Returns the path of an entry point, by default of the program, as a bundle, which is made once. Its sources, one by one, take several
 * times as long to load. And Node strips their types with WebAssembly, which V8 does not survive on an emulated processor in one of 20
 * starts (nodejs/node issue 64500 is of the same kind).
 */
export function bundled(entry = 'cmd/kube-proxy/main.ts'): Promise<string> {
  const file = made.get(entry) ?? makeBundle(entry);
  made.set(entry, file);
  return file;
}

async function makeBundle(entry: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kube-proxy-'));
  process.once('exit', () => rmSync(folder, { recursive: true }));
  // Node keeps there what it has compiled. Emulated, `--version` takes 1.4 s with it in place of 2.2.
  process.env['NODE_COMPILE_CACHE'] ??= join(folder, 'compiled');
  const file = join(folder, basename(entry).replace('.ts', '.mjs'));
  await bundle(entry, file);
  copyKoffi(folder);
  return file;
}
