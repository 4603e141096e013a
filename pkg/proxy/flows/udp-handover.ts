import type { Conntrack, Flow } from '../../conntrack/conntrack.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, seconds, sleep } from '../../runner/clock.ts';
import { Queue } from '../../runner/queue.ts';
import type { KeptSettings } from '../settings/kernel-settings.ts';
import { endsKey, endsOf, type FlowEnds, familiesOf } from './flow-ends.ts';

/** What a {@link UdpHandover} works with. */
export interface UdpHandoverOptions {
  readonly conntrack: Conntrack;
  /** Where a datagram goes whose server was deleted rests on them. */
  readonly settings: KeptSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is to be done right before and right after real servers are deleted: for those that are, and no others. */
export interface ForgetFlows {
  before(requests: readonly FlowEnds[]): void;
  after(requests: readonly FlowEnds[]): void;
}

/** Deletes real servers, as far as they are still to go, with nothing else between that and what is to be done around it. */
export type CutDatagrams = (forget: ForgetFlows) => Promise<unknown>;

/** A pod stands behind many virtual servers, whose time comes one after the other: one round is to serve them. */
const gathering = seconds(0.02);
/** Between the beginnings of two rounds, each with one dump of a family at most. */
const interval = seconds(0.25);

/**
 * Takes real servers of UDP away without losing a datagram. IPVS drops datagrams of a deleted server that belong to a flow which
 * conntrack knows, until it has deleted its own entries some milliseconds later (ip_vs_conn_uses_old_conntrack); one that
 * conntrack does not know goes to another server at once. So the flows go before the server does, and those that a datagram made
 * anew in between go after it. A masqueraded flow is needed for the answer to a query on its way, and goes after the server only.
 */
export class UdpHandover {
  readonly #options: UdpHandoverOptions;
  readonly #queue = new Queue<{
    readonly requests: readonly FlowEnds[];
    readonly cut: CutDatagrams;
  }>();

  constructor(options: UdpHandoverOptions) {
    this.#options = options;
  }

  /** Looks up the flows of real servers, and has the servers deleted by `cut` soon. */
  pass(requests: readonly FlowEnds[], cut: CutDatagrams): void {
    this.#queue.put({ requests, cut });
  }

  /** Does what is asked for until the signal aborts; what then waits stays as it is. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let next = clock.now();
    while (await this.#queue.hasSome(signal)) {
      await sleep(clock, Math.max(gathering, next - clock.now()), signal);
      if (signal.aborted) return;
      next = clock.now() + interval;
      const waiting = this.#queue.takeAll();
      const flows = await this.#lookUp(waiting.flatMap(({ requests }) => requests));
      for (const { cut } of waiting) await this.#cut(cut, flows);
    }
  }

  /** The flows of real servers, by {@link endsKey}. Where they cannot be found, datagrams may be lost, and the servers go all the same. */
  async #lookUp(requests: readonly FlowEnds[]): Promise<ReadonlyMap<string, readonly Flow[]>> {
    const { conntrack, settings } = this.#options;
    const flows = new Map<string, Flow[]>(requests.map((request) => [endsKey(request), []]));
    await this.#attempt('could not look at the settings of the kernel', () => settings.restore());
    for (const family of familiesOf(requests)) {
      const see = (flow: Flow) => void flows.get(endsKey(endsOf(flow)))?.push(flow);
      await this.#attempt(
        `could not look up the ${family} flows of real servers that go`,
        async () => await conntrack.dump({ family, protocol: 'UDP' }, see),
      );
    }
    return flows;
  }

  async #cut(cut: CutDatagrams, flows: ReadonlyMap<string, readonly Flow[]>): Promise<void> {
    await this.#attempt('could not delete drained real servers', async () => {
      await cut({
        before: (requests) => this.#forget(flowsOf(requests, flows).filter(isUnmasqueraded)),
        after: (requests) => this.#forget(flowsOf(requests, flows)),
      });
    });
  }

  #forget(flows: readonly Flow[]): void {
    const { conntrack } = this.#options;
    try {
      // Made anew, a flow has another id.
      if (flows.length > 0) conntrack.delete(flows.map((flow) => ({ ...flow, id: undefined })));
    } catch (error) {
      this.#options.log.error('could not delete the flows of real servers that go', error);
    }
  }

  /** Does something that may fail. */
  async #attempt(message: string, action: () => void | Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.log.error(message, error);
    }
  }
}

function flowsOf(
  requests: readonly FlowEnds[],
  flows: ReadonlyMap<string, readonly Flow[]>,
): readonly Flow[] {
  return requests.flatMap((request) => flows.get(endsKey(request)) ?? []);
}

/** Whether the server sees the client as it is. */
function isUnmasqueraded({ original, reply }: Flow): boolean {
  return reply.destination === original.source;
}
