import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from './namespace.ts';

const count = 50_000;

/**
 * Another program that is busy with addresses: `ip -batch` adds 50,000 of them to a device of its own. Each takes the kernel's lock for
 * links, addresses and routes (RTNL), of which there is one for all namespaces. Whoever starts one ends it.
 */
export class AddressWriter {
  readonly #child: ChildProcess;
  readonly #namespace: Namespace;

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
    namespace.run('ip', 'link', 'add', 'busy', 'type', 'dummy');
    const stdio = ['pipe', 'ignore', 'inherit'] as const;
    this.#child = spawn('ip', ['-n', namespace.name, '-batch', '-'], { stdio: [...stdio] });
    const lines = Array.from(
      { length: count },
      (_, index) => `addr add 10.99.${index >> 8}.${index & 255}/32 dev busy\n`,
    );
    // It may be ended in the middle.
    this.#child.stdin?.on('error', () => undefined).end(lines.join(''));
  }

  /** Whether it still works. */
  get isAtWork(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until its first address is there. */
  async begun(): Promise<void> {
    while (!this.#namespace.run('ip', 'addr', 'show', 'dev', 'busy').includes(' 10.99.0.0/'))
      await sleep(5);
  }

  async end(): Promise<void> {
    if (!this.isAtWork) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
