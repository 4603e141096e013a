import { familyOf } from '../ip/address.ts';
import { type Protocol, protocolFromNumber, protocolNumber } from '../ip/protocol.ts';
import { addressFamily } from '../netlink/addresses.ts';
import type { ValueOf } from '../wire/codec.ts';
import {
  type Flow,
  type FlowFilter,
  type NewFlow,
  reversed,
  type Tuple,
  tcpStates,
} from './conntrack.ts';
import {
  CTA_FILTER_F_CTA_IP_DST,
  CTA_FILTER_F_CTA_IP_SRC,
  CTA_FILTER_F_CTA_PROTO_NUM,
  type flow,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
  type tuple,
} from './schema.ts';

type FlowData = ValueOf<typeof flow>;
type TupleData = ValueOf<typeof tuple>;

/**
 * What the kernel is to filter by besides the family; `undefined` if that is all. Not by IPv6 addresses: there the kernel leaves out the
 * flows whose address is the same (ctnetlink_filter_match_tuple since 5.8, seen on 6.1).
 */
export function filterFor({ family, protocol, source, destination }: FlowFilter) {
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

/** The flow that a message tells; `undefined` for one of a protocol without ports. */
export function fromFlowData(data: FlowData): Flow | undefined {
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

/** The message that names a flow to delete. */
export function toFlowName({ protocol, original, zone, id }: Flow) {
  const family = addressFamily(original.source);
  return { family, body: { original: toTupleData(protocol, original), id, zone } };
}

/** The message that adds a flow, which ends after some seconds. */
export function toNewFlow({ protocol, original, tcpState }: NewFlow, seconds: number) {
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
