import type { Failure } from '../errno/errno.ts';
import { type Family, familyOf, type IpAddress, printHostPort } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

/** One direction of a flow. */
export interface Tuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** TCP_CONNTRACK_* of linux/netfilter/nf_conntrack_tcp.h in their order, as `conntrack -L` prints them. */
export const tcpStates = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;

/** The state of a TCP connection. */
export type TcpState = (typeof tcpStates)[number];

/** A tracked connection: the tuple of its first packet, and the expected one of the replies. */
export interface Flow {
  readonly protocol: Protocol;
  readonly original: Tuple;
  readonly reply: Tuple;
  readonly zone: number;
  readonly mark: number;
  /** CTA_ID, so that a delete cannot hit a later flow with the same tuple; `undefined` if the kernel does not send it. */
  readonly id: number | undefined;
  /** IPS_* of linux/netfilter/nf_conntrack_common.h. */
  readonly status: number;
  /** `undefined` for other protocols than TCP. */
  readonly tcpState: TcpState | undefined;
}

/** A flow to add before its first packet. */
export type NewFlow = Pick<Flow, 'protocol' | 'original' | 'tcpState'>;

/** The flows to dump: those of which all that is named here is so. The kernel filters what it can (CTA_FILTER, since 5.8). */
export interface FlowFilter {
  readonly family: Family;
  readonly protocol?: Protocol;
  /** Of the original direction. */
  readonly source?: IpAddress;
  /** Of the original direction. */
  readonly destination?: IpAddress;
}

/** All flows of a family and a protocol. */
export type FlowKind = Required<Pick<FlowFilter, 'family' | 'protocol'>>;

/** Whether a flow is one of those that a filter asks for. */
export function isAskedFor(filter: FlowFilter, { protocol, original }: Flow): boolean {
  const { source, destination } = original;
  return (
    familyOf(source) === filter.family &&
    (filter.protocol ?? protocol) === protocol &&
    (filter.source ?? source) === source &&
    (filter.destination ?? destination) === destination
  );
}

/** The connection tracking table of this network namespace. */
export interface Conntrack {
  /** Whether the kernel filters, as far as is known. If not, a dump reads all flows. */
  readonly isFiltering: boolean;
  /**
   * Calls back for each TCP, UDP and SCTP flow, and lets the event loop turn between receives. If the table changes, a flow may
   * come twice or not at all.
   */
  dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void>;
  /**
   * Deletes flows by protocol, original tuple, zone and id, and returns how many. A flow that does not exist any more is no error.
   * Tries every flow, then throws the first other error.
   */
  delete(flows: readonly Flow[]): number;
  /**
   * Adds flows for some seconds, untranslated and as if they had been answered, so that their packets are not new to the firewall.
   * Tries every flow and returns those that failed; EEXIST if a direction of one exists.
   */
  add(flows: readonly NewFlow[], options: { readonly seconds: number }): readonly Failure[];
}

/** The tuple of the packets in the other direction. */
export function reversed({ source, destination, sourcePort, destinationPort }: Tuple): Tuple {
  return {
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
  };
}

/** A flow for errors and logs: `TCP 10.0.0.7:1024 > 172.30.0.1:80`. */
export function printFlow({ protocol, original }: Pick<Flow, 'protocol' | 'original'>): string {
  const source = printHostPort(original.source, original.sourcePort);
  return `${protocol} ${source} > ${printHostPort(original.destination, original.destinationPort)}`;
}

/** Whether no address or port is translated, by IPVS or anybody else. */
export function isUntranslated({ original, reply }: Flow): boolean {
  return (
    original.source === reply.destination &&
    original.destination === reply.source &&
    original.sourcePort === reply.destinationPort &&
    original.destinationPort === reply.sourcePort
  );
}
