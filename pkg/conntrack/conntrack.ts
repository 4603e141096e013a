import type { Failure } from '../errno/errno.ts';
import { type Family, type IpAddress, printHostPort } from '../ip/address.ts';
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

/** How far a TCP connection is, as its packets told. */
export type TcpState = (typeof tcpStates)[number];

/** A tracked connection: how its first packet came, and how the answers are expected. */
export interface Flow {
  readonly protocol: Protocol;
  readonly original: Tuple;
  readonly reply: Tuple;
  readonly zone: number;
  readonly mark: number;
  /** CTA_ID, so that a delete cannot hit a later flow with the same tuple; `undefined` in a kernel that does not tell. */
  readonly id: number | undefined;
  /** IPS_* of linux/netfilter/nf_conntrack_common.h. */
  readonly status: number;
  /** `undefined` for other protocols than TCP. */
  readonly tcpState: TcpState | undefined;
}

/** A flow that the kernel is to know before its first packet. */
export type NewFlow = Pick<Flow, 'protocol' | 'original' | 'tcpState'>;

/** What a dump is about; the kernel filters by protocol where it can (CTA_FILTER, 5.8), the rest is done here. */
export interface FlowFilter {
  readonly family: Family;
  readonly protocol?: Protocol;
}

/** The connection tracking table of this network namespace. */
export interface Conntrack {
  /** Whether the kernel leaves out the flows of other protocols, as far as is known; if not, a dump reads them all. */
  readonly isFiltering: boolean;
  /**
   * Calls back for every TCP, UDP and SCTP flow, letting the event loop turn between receives. While the table changes a
   * flow may come twice or not at all.
   */
  dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void>;
  /**
   * Deletes flows, told by protocol, original tuple, zone and id; one that is gone already, or another by now, is no error.
   * How many there were. Every flow is tried; then the first other failure is thrown.
   */
  delete(flows: readonly Flow[]): number;
  /**
   * Makes flows known for some seconds, untranslated and as if they had been answered: to the firewall their packets are not
   * new. Every one is tried; those that failed come back, EEXIST if a direction of one is taken.
   */
  add(flows: readonly NewFlow[], options: { readonly seconds: number }): readonly Failure[];
}

/** The same packets as the other side sends them. */
export function reversed({ source, destination, sourcePort, destinationPort }: Tuple): Tuple {
  return {
    source: destination,
    destination: source,
    sourcePort: destinationPort,
    destinationPort: sourcePort,
  };
}

/** `TCP 10.0.0.7:1024 > 172.30.0.1:80`: how errors and logs call a flow. */
export function printFlow({ protocol, original }: Pick<Flow, 'protocol' | 'original'>): string {
  const source = printHostPort(original.source, original.sourcePort);
  return `${protocol} ${source} > ${printHostPort(original.destination, original.destinationPort)}`;
}

/** True if no address and no port is rewritten: nobody, IPVS included, ever took charge of the flow. */
export function isUntranslated({ original, reply }: Flow): boolean {
  return (
    original.source === reply.destination &&
    original.destination === reply.source &&
    original.sourcePort === reply.destinationPort &&
    original.destinationPort === reply.sourcePort
  );
}
