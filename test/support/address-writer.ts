import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from './namespace.ts';
import { patience } from './patience.ts';

const count = 50_000;
/** Lines that are handed over at once. The pipe holds back whoever is faster than the kernel. */
const chunk = 256;

/**
 * Another program that is busy with addresses: `ip -batch` adds 50,000 of them to a device of its own, takes them away, and begins
 * again until it is ended. Each takes the kernel's lock for links, addresses and routes (RTNL), of which there is one for all
 * namespaces. Whoever starts one ends it.
 */
export class AddressWriter {
  readonly #child: ChildProcess;
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    namespace.run('ip', 'link', 'add', 'busy', 'type', 'dummy');
    this.#child = spawn('ip', ['-n', namespace.name, '-batch', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    const { stdin } = this.#child;
    // It is ended in the middle of a line.
    if (stdin) Readable.from(lines()).pipe(stdin.on('error', () => undefined));
  }

  /** Whether it still works: until it is ended, if nothing went wrong. */
  get isAtWork(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until its first address is there. Throws if that never comes. */
  async begun(): Promise<void> {
    const deadline = Date.now() + patience;
    while (!this.#namespace.run('ip', 'addr', 'show', 'dev', 'busy').includes(' 10.99.')) {
      if (!this.isAtWork) throw new Error('ip -batch ended before it had added an address');
      if (Date.now() > deadline) throw new Error(`ip -batch added no address in ${patience} ms`);
      await sleep(5);
    }
  }

  async end(): Promise<void> {
    if (!this.isAtWork) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

function* lines(): Generator<string> {
  for (;;) {
    for (const verb of ['add', 'del']) {
      for (let first = 0; first < count; first += chunk) {
        const last = Math.min(first + chunk, count);
        let text = '';
        for (let index = first; index < last; index++)
          text += `addr ${verb} 10.99.${index >> 8}.${index & 255}/32 dev busy\n`;
        yield text;
      }
    }
  }
}
