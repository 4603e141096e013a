import { errnoOf, type Failure, isNotFound, isUnsupported } from '../errno/errno.ts';
import { familyOf } from '../ip/address.ts';
import { type Protocol, protocolFromNumber, protocolNumber } from '../ip/protocol.ts';
import { AF_INET, AF_INET6, addressFamily } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import type { ValueOf } from '../wire/codec.ts';
import {
  type Conntrack,
  type Flow,
  type FlowFilter,
  isAskedFor,
  type NewFlow,
  printFlow,
  reversed,
  type Tuple,
  tcpStates,
} from './conntrack.ts';
import {
  CTA_FILTER_F_CTA_IP_DST,
  CTA_FILTER_F_CTA_IP_SRC,
  CTA_FILTER_F_CTA_PROTO_NUM,
  commands,
  type flow,
  type flowFilter,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  type tuple,
} from './schema.ts';

/** The part of a connection that is used. */
export type FlowsConnection = Pick<Connection, 'batch' | 'dump'>;

type FlowData = ValueOf<typeof flow>;
type TupleData = ValueOf<typeof tuple>;

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

/**
 * What the kernel is to filter by besides the family; `undefined` if that is all. Not by IPv6 addresses: there the kernel leaves out the
 * flows whose address is the same (ctnetlink_filter_match_tuple since 5.8, seen on 6.1).
 */
function filterFor({ family, protocol, source, destination }: FlowFilter) {
  const ip =
    family === 'IPv4' && (source !== undefined || destination !== undefined)
      ? { v4Source: source, v4Destination: destination }
      : undefined;
  const transport = protocol && { protocol: protocolNumber(protocol) };
  let flags = 0;
  if (ip?.v4Source !== undefined) flags |= CTA_FILTER_F_CTA_IP_SRC;
  if (ip?.v4Destination !== undefined) flags |= CTA_FILTER_F_CTA_IP_DST;
  if (transport !== undefined) flags |= CTA_FILTER_F_CTA_PROTO_NUM;
  return flags === 0
    ? undefined
    : { original: { ip, transport }, filter: { original: flags, reply: 0 } };
}

/** `undefined` for a flow of a protocol without ports. */
function fromFlowData(data: FlowData): Flow | undefined {
  const protocol = protocolFromNumber(data.original.transport.protocol);
  const original = fromTupleData(data.original);
  const reply = fromTupleData(data.reply);
  if (protocol === undefined || original === undefined || reply === undefined) return undefined;
  return {
    protocol,
    original,
    reply,
    // A zone of the replies alone does not count for a lookup by the original tuple.
    zone: data.zone ?? data.original.zone ?? 0,
    mark: data.mark ?? 0,
    id: data.id,
    status: data.status ?? 0,
    tcpState: tcpStates[data.state?.tcp?.state ?? -1],
  };
}

function fromTupleData({ ip, transport }: TupleData): Tuple | undefined {
  const source = ip.v4Source ?? ip.v6Source;
  const destination = ip.v4Destination ?? ip.v6Destination;
  const { sourcePort, destinationPort } = transport;
  if (source === undefined || destination === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  return { source, destination, sourcePort, destinationPort };
}

function toFlowName({ protocol, original, zone, id }: Flow) {
  const family = addressFamily(original.source);
  return { family, body: { original: toTupleData(protocol, original), id, zone } };
}

function toNewFlow({ protocol, original, tcpState }: NewFlow, seconds: number) {
  const state = tcpState === undefined ? undefined : tcpStates.indexOf(tcpState);
  const body = {
    original: toTupleData(protocol, original),
    reply: toTupleData(protocol, reversed(original)),
    status: IPS_SEEN_REPLY | IPS_CONFIRMED,
    ...(state !== undefined && { state: { tcp: { state } } }),
    timeout: seconds,
  };
  return { family: addressFamily(original.source), body };
}

function toTupleData(protocol: Protocol, ends: Tuple): TupleData {
  const { source, destination, sourcePort, destinationPort } = ends;
  const ip =
    familyOf(source) === 'IPv4'
      ? { v4Source: source, v4Destination: destination }
      : { v6Source: source, v6Destination: destination };
  return { ip, transport: { protocol: protocolNumber(protocol), sourcePort, destinationPort } };
}
