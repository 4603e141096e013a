import type { Conntrack, Flow, FlowKind } from '../../conntrack/conntrack.ts';
import { type Family, families, familyOf, type IpAddress } from '../../ip/address.ts';
import { type Protocol, protocols } from '../../ip/protocol.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import { type Clock, minutes, seconds, sleep } from '../../runner/clock.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { endsOf, type FlowEnds } from './flow-ends.ts';
import type { FlowReader } from './flow-reader.ts';
import { StaleFlowRules } from './stale-flow-rules.ts';

/** One dump and what was deleted after it. */
export interface Reconciliation {
  readonly family: Family;
  readonly milliseconds: number;
  readonly deleted: number;
}

/** A dump or a delete that failed. */
export interface FailedReconciliation {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly error: unknown;
  /** Whether the request is given up after this attempt. */
  readonly isLast: boolean;
}

export interface StaleFlowsOptions {
  readonly conntrack: Pick<Conntrack, 'delete'>;
  readonly reader: Pick<FlowReader, 'read'>;
  readonly clock: Clock;
  /** Whether the kernel still has a real server. Its flows are deleted when it is. */
  readonly isHeld: (ends: FlowEnds) => boolean;
  readonly onReconciled: (reconciliation: Reconciliation) => void;
  readonly onFailed: (failure: FailedReconciliation) => void;
}

/** The pause after a first failure, in milliseconds; it doubles with each. */
const shortestPause = seconds(1);
const attempts = 5;
/** After how long the flows of a real server that the kernel still has are looked for again. */
const handoverPause = seconds(3);
/** How long such flows are kept in all. */
const handoverLimit = minutes(1);
/** Flows deleted in one call. */
const chunkLength = 256;

/**
 * Deletes conntrack flows that keep clients at the wrong place. One dump serves all requests that came before it began. Failures
 * are reported to `onFailed` and tried again a few times.
 */
export class StaleFlows {
  readonly #workers: Readonly<Record<Family, Readonly<Record<Protocol, Worker>>>>;

  constructor(options: StaleFlowsOptions) {
    const ofFamily = (family: Family) => ({
      TCP: new Worker({ family, protocol: 'TCP' }, options),
      UDP: new Worker({ family, protocol: 'UDP' }, options),
      SCTP: new Worker({ family, protocol: 'SCTP' }, options),
    });
    this.#workers = { IPv4: ofFamily('IPv4'), IPv6: ofFamily('IPv6') };
  }

  /**
   * Requests the deletion of flows to new virtual servers that were never translated. A client that sent packets before the virtual
   * server was added would otherwise not be balanced or masqueraded as long as it keeps sending.
   */
  deleteUntranslated(virtualServers: readonly VirtualServerId[]): void {
    for (const virtualServer of virtualServers) {
      const { address, protocol } = virtualServer;
      this.#workers[familyOf(address)][protocol].add((rules) =>
        rules.addVirtualServer(virtualServer),
      );
    }
  }

  /**
   * Requests the deletion of flows to UDP front ends that none of their endpoints answers. The last request for a front end counts.
   * The flows of a real server that the kernel still has are kept for a minute at most: answers are in flight, and they are deleted
   * with it.
   */
  reconcileUdp(frontEnds: readonly UdpFrontEnd[]): void {
    for (const frontEnd of frontEnds) {
      for (const address of frontEnd.addresses) {
        this.#workers[familyOf(address)].UDP.setEndpoints(address, frontEnd);
      }
    }
  }

  /** Carries requests out until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const workers = families.flatMap((family) =>
      protocols.map((protocol) => this.#workers[family][protocol]),
    );
    await Promise.all(workers.map((worker) => worker.run(signal)));
  }
}

/** The stale flows of one family and protocol. */
class Worker {
  readonly #filter: FlowKind;
  readonly #options: StaleFlowsOptions;
  #rules = new StaleFlowRules();
  /** The rules that are applied again after a pause: front ends with real servers that were not handed over yet. */
  readonly #postponed = new StaleFlowRules();
  #isPausing = false;
  #wake: () => void = () => undefined;

  constructor(filter: FlowKind, options: StaleFlowsOptions) {
    this.#filter = filter;
    this.#options = options;
  }

  add(write: (rules: StaleFlowRules) => void): void {
    write(this.#rules);
    this.#wake();
  }

  setEndpoints(address: IpAddress, frontEnd: UdpFrontEnd): void {
    this.#postponed.forgetEndpoints(address, frontEnd);
    this.add((rules) => rules.setEndpoints(address, frontEnd, this.#options.clock.now()));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const wake = () => this.#wake();
    signal.addEventListener('abort', wake, { once: true });
    let failures = 0;
    while (await this.#hasWork(signal)) {
      const isDone = await this.#try({ attempt: failures + 1, signal });
      failures = isDone ? 0 : (failures + 1) % attempts;
      if (failures > 0) await sleep(clock, shortestPause * 2 ** (failures - 1), signal);
    }
    signal.removeEventListener('abort', wake);
  }

  /** Waits for a request; false once the signal aborts. */
  async #hasWork(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#rules.isEmpty) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !signal.aborted;
  }

  /** Makes one dump for all requests. If it fails they are requested again, unless this was the last attempt. */
  async #try({ attempt, signal }: { attempt: number; signal: AbortSignal }): Promise<boolean> {
    const { clock, onReconciled, onFailed } = this.#options;
    const { family, protocol } = this.#filter;
    const taken = new StaleFlowRules();
    let began = clock.now();
    try {
      const deleted = await this.#reconcile(taken, () => {
        began = clock.now();
      });
      onReconciled({ family, milliseconds: clock.now() - began, deleted });
      if (!this.#postponed.isEmpty) void this.#resume(signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const isLast = attempt === attempts;
      if (!isLast) this.#rules = StaleFlowRules.merged(taken, this.#rules);
      onFailed({ family, protocol, error, isLast });
      return false;
    }
  }

  /** Moves the rules to `taken` when the dump begins, and deletes stale flows by them. Returns how many were deleted. */
  async #reconcile(taken: StaleFlowRules, onBegin: () => void): Promise<number> {
    const { reader } = this.#options;
    const stale: Flow[] = [];
    await reader.read(this.#filter, () => {
      taken.take(this.#rules);
      onBegin();
      return (flow) => {
        if (taken.isStale(flow)) stale.push(flow);
      };
    });
    // Endpoints may have changed during the dump: the latest rules count.
    const latest = StaleFlowRules.merged(taken, this.#rules);
    const { conntrack, clock } = this.#options;
    const yielder = new Yielder(() => clock.now());
    let deleted = 0;
    for (let at = 0; at < stale.length; at += chunkLength) {
      const chunk = stale.slice(at, at + chunkLength).filter((flow) => latest.isStale(flow));
      deleted += conntrack.delete(chunk.filter((flow) => !this.#isPostponed(flow, latest)));
      await yielder.yieldIfDue();
    }
    return deleted;
  }

  /** Whether a flow is kept because the kernel still has its real server. If so, its rule is applied again after a pause. */
  #isPostponed(flow: Flow, rules: StaleFlowRules): boolean {
    const { isHeld, clock } = this.#options;
    if (!isHeld(endsOf(flow)) || clock.now() - rules.changedAt(flow) >= handoverLimit) return false;
    this.#postponed.copyEndpoints(rules, flow);
    return true;
  }

  /** Schedules the postponed rules to be applied again after a pause, unless they are scheduled already. */
  async #resume(signal: AbortSignal): Promise<void> {
    if (this.#isPausing) return;
    this.#isPausing = true;
    await sleep(this.#options.clock, handoverPause, signal);
    this.#isPausing = false;
    if (!signal.aborted) this.add((rules) => rules.take(this.#postponed));
  }
}
