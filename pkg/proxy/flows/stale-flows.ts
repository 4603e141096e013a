import type { Flow, FlowFilter } from '../../conntrack/conntrack.ts';
import { type Family, families, familyOf } from '../../ip/address.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import { seconds, sleep } from '../../runner/clock.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { FlowNotes } from './flow-notes.ts';
import { UdpHandover, type UdpHandoverOptions } from './udp-handover.ts';

/** One dump and what was deleted after it. */
export interface Reconciliation {
  readonly family: Family;
  readonly milliseconds: number;
  readonly deleted: number;
}

/** A dump or a delete that failed. */
export interface FailedReconciliation {
  readonly family: Family;
  readonly error: unknown;
  /** It was tried often enough: what was asked for is given up. */
  readonly isLast: boolean;
}

/** What a {@link FlowForgetter} works with. */
export interface FlowForgetterOptions extends UdpHandoverOptions {
  readonly onReconciled: (reconciliation: Reconciliation) => void;
  readonly onFailed: (failure: FailedReconciliation) => void;
}

/** Between the beginnings of two dumps of a family; it doubles with each failure. */
const interval = seconds(1);
const attempts = 5;
/** Flows deleted in one call. */
const chunkLength = 256;

/**
 * Deletes conntrack flows that would keep clients at the wrong place. Requests are notes; one dump of a family serves all
 * that wait, at most one begins within a second, and failures are told to `onFailed` and retried a few times.
 */
export class FlowForgetter {
  /** For the flows of real servers that are about to go. */
  readonly handover: UdpHandover;
  readonly #workers: Readonly<Record<Family, Worker>>;

  constructor(options: FlowForgetterOptions) {
    this.handover = new UdpHandover(options);
    this.#workers = { IPv4: new Worker('IPv4', options), IPv6: new Worker('IPv6', options) };
  }

  /**
   * Virtual servers were added: flows to them that were never translated came too early, and their clients would not be
   * balanced, or not be masqueraded, for as long as they try.
   */
  forgetUntranslated(virtualServers: readonly VirtualServerId[]): void {
    for (const virtualServer of virtualServers) {
      this.#workers[familyOf(virtualServer.address)].note((notes) =>
        notes.noteServer(virtualServer),
      );
    }
  }

  /** Endpoints of UDP front ends changed: flows that anybody else answers end. The latest word on a front end counts. */
  reconcileUdp(frontEnds: readonly UdpFrontEnd[]): void {
    for (const frontEnd of frontEnds) {
      for (const address of frontEnd.addresses) {
        this.#workers[familyOf(address)].note((notes) => notes.noteEndpoints(address, frontEnd));
      }
    }
  }

  /** Does what is asked for until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const workers = families.map((family) => this.#workers[family].run(signal));
    await Promise.all([...workers, this.handover.run(signal)]);
  }
}

/** One family's dumps. */
class Worker {
  readonly #family: Family;
  readonly #options: FlowForgetterOptions;
  #notes = new FlowNotes();
  #wake: () => void = () => undefined;

  constructor(family: Family, options: FlowForgetterOptions) {
    this.#family = family;
    this.#options = options;
  }

  note(write: (notes: FlowNotes) => void): void {
    write(this.#notes);
    this.#wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    let due = clock.now();
    let failures = 0;
    while (await this.#hasWork(signal)) {
      if (due > clock.now()) await sleep(clock, due - clock.now(), signal);
      if (signal.aborted) return;
      due = clock.now() + interval;
      if (await this.#try(failures + 1)) failures = 0;
      else due += interval * (2 ** ++failures - 1);
      failures %= attempts;
    }
  }

  /** Waits until something is asked for; false once the signal aborts. */
  async #hasWork(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#notes.protocols.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !signal.aborted;
  }

  /** One dump for all that is noted; what could not be done is noted again, unless this was the last attempt. */
  async #try(attempt: number): Promise<boolean> {
    const { clock, onReconciled, onFailed } = this.#options;
    const family = this.#family;
    const began = clock.now();
    const notes = this.#notes;
    this.#notes = new FlowNotes();
    try {
      const deleted = await this.#reconcile(notes);
      onReconciled({ family, milliseconds: clock.now() - began, deleted });
      return true;
    } catch (error) {
      const isLast = attempt === attempts;
      if (!isLast) this.#notes = FlowNotes.merged(notes, this.#notes);
      onFailed({ family, error, isLast });
      return false;
    }
  }

  /** How many flows were deleted. */
  async #reconcile(notes: FlowNotes): Promise<number> {
    const { conntrack, clock } = this.#options;
    const condemned: Flow[] = [];
    await conntrack.dump(filterFor(notes, this.#family), (flow) => {
      if (notes.condemns(flow)) condemned.push(flow);
    });
    // While the dump ran, other endpoints may have come to serve: the latest word counts.
    const latest = FlowNotes.merged(notes, this.#notes);
    const flows = condemned.filter((flow) => latest.condemns(flow));
    const yielder = new Yielder(() => clock.now());
    let deleted = 0;
    for (let at = 0; at < flows.length; at += chunkLength) {
      deleted += conntrack.delete(flows.slice(at, at + chunkLength));
      await yielder.yieldIfDue();
    }
    return deleted;
  }
}

/** The kernel can leave flows out by protocol, but knows only one at a time. */
function filterFor(notes: FlowNotes, family: Family): FlowFilter {
  const [protocol, ...others] = notes.protocols;
  return protocol === undefined || others.length > 0 ? { family } : { family, protocol };
}
