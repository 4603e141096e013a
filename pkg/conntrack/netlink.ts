import { errnoOf, type Failure, isNotFound, isUnsupported } from '../errno/errno.ts';
import { AF_INET, AF_INET6 } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import type { ValueOf } from '../wire/codec.ts';
import {
  type Conntrack,
  type Flow,
  type FlowFilter,
  isAskedFor,
  type NewFlow,
  printFlow,
} from './conntrack.ts';
import { filterFor, fromFlowData, toFlowName, toNewFlow } from './convert.ts';
import { commands, type flowFilter } from './schema.ts';

/** The part of a connection that is used. */
export type FlowsConnection = Pick<Connection, 'batch' | 'dump'>;

/** The connection tracking table over netlink. Takes a connection of NETLINK_NETFILTER, which the caller closes. */
export class NetlinkConntrack implements Conntrack {
  readonly #connection: FlowsConnection;
  /** False once a kernel refused a filter: then everything is read and filtered here. */
  #isFiltering = true;

  constructor(connection: FlowsConnection) {
    this.#connection = connection;
  }

  get isFiltering(): boolean {
    return this.#isFiltering;
  }

  async dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void> {
    const body = filterFor(filter);
    if (body === undefined || !this.#isFiltering) return await this.#dump(filter, {}, onFlow);
    try {
      await this.#dump(filter, body, onFlow);
    } catch (error) {
      if (!isUnsupported(error) && errnoOf(error) !== 'EINVAL') throw error;
      // Refused before the first flow. If the filter is not the reason, this dump fails too.
      await this.#dump(filter, {}, onFlow);
      this.#isFiltering = false;
    }
  }

  delete(flows: readonly Flow[]): number {
    const failures = this.#connection.batch(flows, {
      put: (flow, sink) => sink.put(commands.delete, toFlowName(flow)),
      describe: (flow) => `delete flow ${printFlow(flow)}`,
    });
    const failure = failures.find(({ error }) => !isNotFound(error));
    if (failure !== undefined) throw failure.error;
    return flows.length - failures.length;
  }

  add(flows: readonly NewFlow[], { seconds }: { seconds: number }): readonly Failure[] {
    return this.#connection.batch(flows, {
      put: (flow, sink) => sink.put(commands.add, toNewFlow(flow, seconds)),
      describe: (flow) => `add flow ${printFlow(flow)}`,
    });
  }

  async #dump(
    filter: FlowFilter,
    body: ValueOf<typeof flowFilter>,
    onFlow: (flow: Flow) => void,
  ): Promise<void> {
    const { family } = filter;
    const request = { family: family === 'IPv4' ? AF_INET : AF_INET6, body };
    await this.#connection.dump(commands.get, request, {
      operation: `list ${family} flows`,
      onReply(reply) {
        const flow = fromFlowData(reply.body);
        if (flow !== undefined && isAskedFor(filter, flow)) onFlow(flow);
      },
      onRestart() {}, // a flow may come twice
    });
  }
}
