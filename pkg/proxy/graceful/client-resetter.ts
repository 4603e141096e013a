import { type Conntrack, type Flow, reversed } from '../../conntrack/conntrack.ts';
import { type Failure, isExists } from '../../errno/errno.ts';
import type { Logger } from '../../log/log.ts';
import type { Resetter } from '../../reset/reset.ts';
import { type Clock, seconds, sleep } from '../../runner/clock.ts';
import { connectionOf } from '../flows/flow-ends.ts';
import type { WaitingClient } from '../plan/cleanup.ts';

export interface ClientResetterOptions {
  readonly conntrack: Conntrack;
  readonly resetter: Resetter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called with the number of clients that were sent a reset. */
  readonly onSent: (count: number) => void;
  /** Called with the number of clients that could not be sent one. */
  readonly onFailed: (count: number) => void;
}

/** The interval in milliseconds, and how many clients are reset in each: 1,000 a second. */
const tick = seconds(0.05);
const tickSize = 50;
/**
 * What a client sends belongs to its old connection as long as IPVS and conntrack know that. They forget it some 50 ms after the
 * real server was deleted.
 */
const forgetTime = seconds(0.1);
/** IPVS keeps a connection that was reset for 10 s. */
const closedTime = seconds(10.5);
/** How long to wait for the client's answer to the SYN, and then its reset, before the SYN's flow is deleted from conntrack. */
const settleTime = seconds(0.2);

/** Work that is due at a time. */
interface Due<T> {
  readonly what: T;
  readonly time: number;
}

/**
 * Sends waiting clients the SYNs that make them look, at a bounded rate, and removes what those leave behind: conntrack
 * knows each as a connection from the server to the client, which would catch a client that uses its port again.
 */
export class ClientResetter {
  readonly #options: ClientResetterOptions;
  /** Clients that are still to be reset. */
  #pending: Due<WaitingClient>[] = [];
  /** Flows that the SYNs have left in conntrack. */
  #leftovers: Due<Flow>[] = [];
  #wake: () => void = () => undefined;

  constructor(options: ClientResetterOptions) {
    this.#options = options;
  }

  /** How many clients wait to be reset. */
  get backlog(): number {
    return this.#pending.length;
  }

  /** Resets clients whose real server was deleted just now; their connections were closed before where IPVS forgets them no sooner. */
  reset(clients: readonly WaitingClient[], { areClosed = false } = {}): void {
    const time = this.#options.clock.now() + (areClosed ? closedTime : forgetTime);
    for (const what of clients) this.#pending.push({ what, time });
    this.#wake();
  }

  /** Resets clients until the signal aborts. Clients that still wait then are not reset. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (await this.#hasWork(signal)) {
      const now = clock.now();
      this.#deleteLeftovers(now);
      this.#challenge(now);
      await sleep(clock, tick, signal);
    }
    this.#deleteLeftovers(Number.POSITIVE_INFINITY);
  }

  /** Waits until there is something to do; false once the signal aborts. */
  async #hasWork(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#pending.length + this.#leftovers.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !signal.aborted;
  }

  #challenge(now: number): void {
    const clients = take(this.#pending.slice(0, tickSize), now);
    this.#pending.splice(0, clients.length);
    // What conntrack did not know then, and knows now, is a new connection.
    this.#delete(clients.filter(({ isTracked }) => isTracked).map(({ flow }) => flow));
    let failure: unknown;
    let sent = 0;
    const waiting = this.#expect(clients.map(({ flow }) => flow));
    for (const flow of waiting) {
      try {
        this.#options.resetter.challenge(connectionOf(flow));
        sent++;
      } catch (error) {
        failure ??= error;
      }
      this.#leftovers.push({ what: challengeFlow(flow), time: now + settleTime });
    }
    this.#report(sent, { failed: waiting.length - sent, failure });
  }

  /**
   * Has conntrack know the SYNs before they are sent: to the firewall they are no new connections then, which a node does not take
   * on such ports, and they keep their source port. Those clients that still wait: an old flow was deleted, so one that is there
   * is a new one.
   */
  #expect(flows: readonly Flow[]): readonly Flow[] {
    if (flows.length === 0) return [];
    const taken = new Set(
      this.#add(flows.map(challengeFlow))
        .filter(({ error }) => isExists(error))
        .map(({ index }) => index),
    );
    return flows.filter((_, index) => !taken.has(index));
  }

  /** The flows that could not be added; empty if it is unknown which those are. */
  #add(flows: readonly Flow[]): readonly Failure[] {
    const { conntrack, log } = this.#options;
    try {
      return conntrack.add(flows, { seconds: 10 });
    } catch (error) {
      log.error('could not add flows of clients that are reset', error);
      return [];
    }
  }

  #report(sent: number, { failed, failure }: { failed: number; failure: unknown }): void {
    const { onSent, onFailed, log } = this.#options;
    if (sent > 0) onSent(sent);
    if (failed === 0) return;
    onFailed(failed);
    log.error('could not reset clients of a deleted real server', failure, { clients: failed });
  }

  #deleteLeftovers(now: number): void {
    const flows = take(this.#leftovers, now);
    this.#leftovers.splice(0, flows.length);
    this.#delete(flows);
  }

  #delete(flows: readonly Flow[]): void {
    if (flows.length === 0) return;
    try {
      this.#options.conntrack.delete(flows);
    } catch (error) {
      this.#options.log.error('could not delete flows of clients that are reset', error);
    }
  }
}

/** What is due at the beginning. */
function take<T>(dues: readonly Due<T>[], now: number): readonly T[] {
  const end = dues.findIndex(({ time }) => time > now);
  return (end < 0 ? dues : dues.slice(0, end)).map(({ what }) => what);
}

/** How conntrack knows the SYN that the client of a flow gets. */
function challengeFlow(flow: Flow): Flow {
  const ends = { original: reversed(flow.original), reply: flow.original };
  return { ...flow, ...ends, tcpState: 'SYN_SENT', zone: 0, id: undefined };
}
