import type { Conntrack, Flow } from '../conntrack/conntrack.ts';
import {
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';
import { Inbox } from '../runner/inbox.ts';
import { type DrainRequest, familiesOf } from './drain-list.ts';

/** What a {@link UdpHandover} works with. */
export interface UdpHandoverOptions {
  readonly conntrack: Conntrack;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is to be done right before and right after the real servers are deleted. */
export interface ForgetFlows {
  before(): void;
  after(): void;
}

/** Deletes real servers, with nothing else between that and what is to be done around it. */
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
  readonly #inbox = new Inbox<{
    readonly requests: readonly DrainRequest[];
    readonly cut: CutDatagrams;
  }>();

  constructor(options: UdpHandoverOptions) {
    this.#options = options;
  }

  /** Looks up the flows of real servers, and has the servers deleted by `cut` soon. */
  pass(requests: readonly DrainRequest[], cut: CutDatagrams): void {
    this.#inbox.put({ requests, cut });
  }

  /** Does what is asked for until the signal aborts; what then waits stays as it is. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let next = clock.now();
    while (await this.#inbox.hasSome(signal)) {
      await sleep(clock, Math.max(gathering, next - clock.now()), signal);
      if (signal.aborted) return;
      next = clock.now() + interval;
      const waiting = this.#inbox.takeAll();
      const flows = await this.#lookUp(waiting.flatMap(({ requests }) => requests));
      for (const { requests, cut } of waiting) await this.#cut(cut, flowsOf(requests, flows));
    }
  }

  /** The flows of real servers, by {@link keyOf}. Where they cannot be found, datagrams may be lost, and the servers go all the same. */
  async #lookUp(requests: readonly DrainRequest[]): Promise<ReadonlyMap<string, readonly Flow[]>> {
    const { conntrack, log } = this.#options;
    const flows = new Map<string, Flow[]>(requests.map((request) => [keyOf(request), []]));
    for (const family of familiesOf(requests)) {
      try {
        await conntrack.dump({ family, protocol: 'UDP' }, (flow) => {
          flows.get(keyOf(endsOf(flow)))?.push(flow);
        });
      } catch (error) {
        log.error('could not look up the flows of real servers that go', error, { family });
      }
    }
    return flows;
  }

  async #cut(cut: CutDatagrams, flows: readonly Flow[]): Promise<void> {
    const ownAddress = flows.filter((flow) => flow.reply.destination === flow.original.source);
    try {
      await cut({
        before: () => this.#forget(ownAddress),
        after: () => this.#forget(flows),
      });
    } catch (error) {
      this.#options.log.error('could not delete drained real servers', error);
    }
  }

  #forget(flows: readonly Flow[]): void {
    const { conntrack, log } = this.#options;
    try {
      // Made anew, a flow has another id.
      if (flows.length > 0) conntrack.delete(flows.map((flow) => ({ ...flow, id: undefined })));
    } catch (error) {
      log.error('could not delete the flows of real servers that go', error);
    }
  }
}

function keyOf({ server, backend }: { server: VirtualServerId; backend: RealServerId }): string {
  return `${virtualServerKey(server)} ${realServerKey(backend)}`;
}

/** Between whom a flow was balanced, if it was. */
function endsOf({ protocol, original, reply }: Flow): Parameters<typeof keyOf>[0] {
  return {
    server: { protocol, address: original.destination, port: original.destinationPort },
    backend: { address: reply.source, port: reply.sourcePort },
  };
}

function flowsOf(
  requests: readonly DrainRequest[],
  flows: ReadonlyMap<string, readonly Flow[]>,
): readonly Flow[] {
  return requests.flatMap((request) => flows.get(keyOf(request)) ?? []);
}
