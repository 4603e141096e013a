import { virtualServerKey } from '../ipvs/ipvs.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, seconds } from '../runner/clock.ts';
import type { FailedOperation } from './apply.ts';
import { type AuditContext, readServer } from './audit.ts';
import { Keys } from './keys.ts';
import type { Ledger } from './ledger.ts';
import { printOperation } from './operation.ts';

/** How long the first retry waits and the last ones at most, in milliseconds. */
const shortest = 100;
const longest = seconds(30);

/** How many failures of one plan are logged one by one. */
const loggedFailures = 20;

/** What failed, to be read back and tried again with growing pauses, until it is right. */
export class Retries {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ledger: Ledger;
  #failed = new Keys();
  #services: ReadonlySet<string> = new Set();
  #attempts = 0;
  #due: number | undefined;

  constructor({ clock, log, ledger }: { clock: Clock; log: Logger; ledger: Ledger }) {
    this.#clock = clock;
    this.#log = log;
    this.#ledger = ledger;
  }

  /** How many Services are not as they should be in the kernel. */
  get failedServices(): number {
    return this.#services.size;
  }

  /** Takes note of failures. When they are to be tried again. */
  note(failed: readonly FailedOperation[]): number | undefined {
    for (const [index, { operation, error }] of failed.entries()) {
      if (index < loggedFailures)
        this.#log.error('operation failed', error, { operation: printOperation(operation) });
      this.#remember(operation);
    }
    if (failed.length > loggedFailures)
      this.#log.error('more operations failed', undefined, { count: failed.length });
    if (failed.length > 0) this.#postpone();
    else if (this.#due === undefined) this.#attempts = 0;
    return this.#due;
  }

  /** What is to be tried now, as the kernel holds it at this moment; nothing before its time. */
  async due(context: Pick<AuditContext, 'ipvs' | 'mirror' | 'ledger' | 'excluded'>): Promise<Keys> {
    if (this.#due === undefined) return new Keys();
    if (this.#due > this.#clock.now()) return new Keys();
    const keys = this.#failed;
    this.#failed = new Keys();
    this.#services = new Set();
    this.#due = undefined;
    for (const key of keys.servers) {
      const server =
        this.#ledger.claim(key)?.frontEnd.server ?? context.mirror.servers.get(key)?.server;
      if (server !== undefined) await readServer(key, { server, context });
    }
    return keys;
  }

  /** What failed again although it was due waits longer; what fails while others wait does so with them. */
  #postpone(): void {
    this.#services = this.#ledger.ownersOf(this.#failed);
    const now = this.#clock.now();
    if (this.#due !== undefined && this.#due > now) return;
    this.#due = now + Math.min(longest, shortest * 2 ** this.#attempts++);
  }

  #remember(operation: FailedOperation['operation']): void {
    switch (operation.kind) {
      case 'addEntry':
      case 'deleteEntry':
        this.#failed.addEntry(operation.set, operation.entry);
        return;
      case 'bindAddress':
      case 'unbindAddress':
        this.#failed.addresses.add(operation.address);
        return;
      case 'makeDevice':
      case 'createSet':
      case 'setRules':
      case 'forgetFlows':
        return;
      case 'addVirtualServer':
      case 'updateVirtualServer':
      case 'deleteVirtualServer':
      case 'addRealServer':
      case 'weighRealServer':
      case 'drainRealServer':
      case 'replaceRealServer':
        this.#failed.servers.add(virtualServerKey(operation.server));
    }
  }
}
