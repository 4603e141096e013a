import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../support/network/network.ts';

/** What is started, where, and with what. */
export interface ProxyOptions {
  /** The program: its bundle, or `cmd/kube-proxy/main.ts`. */
  readonly program: string;
  readonly node: Host;
  readonly flags: readonly string[];
  /** For its log. */
  readonly folder: string;
}

/** The program, started on a node as a node starts it: a process of its own in the node's namespace. */
export class ProxyProcess {
  readonly flags: readonly string[];
  /** Ends with the exit status, or the name of the signal that ended it. */
  readonly ended: Promise<string>;
  /** The same, but only if nobody asked it to end. */
  readonly died: Promise<string>;
  readonly #child: ChildProcess;
  readonly #log: string;
  #isRunning = true;
  #isAsked = false;

  constructor({ program, node, flags, folder }: ProxyOptions) {
    this.flags = flags;
    this.#log = join(folder, 'kube-proxy.log');
    const log = openSync(this.#log, 'w');
    // setpriv: it ends with this process, even if that is killed.
    const command = ['setpriv', '--pdeathsig', 'KILL', process.execPath, program, ...flags];
    this.#child = spawn('ip', ['netns', 'exec', node.namespace.name, ...command], {
      stdio: ['ignore', log, log],
      detached: true, // Ctrl-C is for the demo, which ends it in its own time
    });
    closeSync(log);
    const ended = Promise.withResolvers<string>();
    const died = Promise.withResolvers<string>();
    this.ended = ended.promise;
    this.died = died.promise;
    const end = (how: string) => {
      this.#isRunning = false;
      ended.resolve(how);
      if (!this.#isAsked) died.resolve(how);
    };
    this.#child.on('error', (error) => end(error.message));
    this.#child.on('exit', (code, signal) => end(signal ?? `status ${code}`));
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resident memory in megabytes. */
  residentMemory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }

  /** The last lines of its log. */
  lastWords(lines: number): string[] {
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-lines);
  }

  /** Asks it to end, and waits; kills it after five seconds. Returns how it ended, and after how many milliseconds. */
  async stop(): Promise<{ how: string; milliseconds: number }> {
    const started = performance.now();
    this.#isAsked = true;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    if (this.#isRunning) this.#child.kill('SIGTERM');
    const how = await this.ended;
    clearTimeout(timer);
    return { how, milliseconds: performance.now() - started };
  }
}
