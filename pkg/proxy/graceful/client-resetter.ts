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
  /** Called with the number of clients that were sent a SYN that makes them reset their connection. */
  readonly onSent: (count: number) => void;
  /** Called with the number of clients that it could not be sent to. */
  readonly onFailed: (count: number) => void;
}

/** The interval in milliseconds, and how many clients are reset in each: 1,000 a second. */
const tick = seconds(0.05);
const tickSize = 50;
/**
 * How long to wait after the deletion of the real server, in milliseconds. IPVS and conntrack forget its connections some 50 ms
 * after it. Until then a packet of the client belongs to the old connection.
 */
const forgetTime = seconds(0.1);
/** IPVS keeps a connection that was reset for 10 s. */
const closedTime = seconds(10.5);
/** How long to wait for the client's answer to the SYN and the reset that follows, before the SYN's flow is deleted from conntrack. */
const settleTime = seconds(0.2);

/** Work that is due at a time. */
interface Due<T> {
  readonly what: T;
  readonly time: number;
}

/**
 * Sends waiting clients a SYN at a bounded rate. Their answer makes them reset the connection whose real server is gone. Then
 * deletes the conntrack flow of each SYN, which would otherwise match a new connection of the client from the same port.
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

  /**
   * Resets clients whose real server was just deleted. With `areClosed`, IPVS kept their connections and these were closed, so it
   * waits longer.
   */
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
    // A flow that conntrack did not know at the look-up, and knows now, is a new connection: it stays.
    this.#delete(clients.filter(({ isTracked }) => isTracked).map(({ flow }) => flow));
    let failure: unknown;
    let sent = 0;
    let failed = 0;
    const waiting = this.#expect(clients.map(({ flow }) => flow));
    for (const flow of waiting) {
      try {
        if (this.#options.resetter.challenge(connectionOf(flow))) sent++;
      } catch (error) {
        failed++;
        failure ??= error;
      }
      this.#leftovers.push({ what: challengeFlow(flow), time: now + settleTime });
    }
    this.#report(sent, { failed, failure });
  }

  /**
   * Adds the flows of the SYNs to conntrack before they are sent: the firewall would drop them as new connections, and their source
   * port could be changed. Returns the flows of clients that still wait: where the flow exists already, the client has connected
   * anew.
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

  /** Adds flows. Returns those that could not be added; none if the whole call failed. */
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

/** The elements at the front that are due. */
function take<T>(dues: readonly Due<T>[], now: number): readonly T[] {
  const end = dues.findIndex(({ time }) => time > now);
  return (end < 0 ? dues : dues.slice(0, end)).map(({ what }) => what);
}

/** The conntrack flow of the SYN that is sent to the client of a flow. */
function challengeFlow(flow: Flow): Flow {
  const ends = { original: reversed(flow.original), reply: flow.original };
  return { ...flow, ...ends, tcpState: 'SYN_SENT', zone: 0, id: undefined };
}
