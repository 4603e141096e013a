import type { Family, IpAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

/** One direction of a flow. */
export interface Tuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** A tracked connection: how its first packet came, and how the answers are expected. */
export interface Flow {
  readonly protocol: Protocol;
  readonly original: Tuple;
  readonly reply: Tuple;
  readonly zone: number;
  readonly mark: number;
  /** CTA_ID, so that a delete cannot hit a later flow with the same tuple; `undefined` in a kernel that does not tell. */
  readonly id: number | undefined;
}

/** What a dump is about; the kernel filters by protocol where it can (CTA_FILTER, 5.8), the rest is done here. */
export interface FlowFilter {
  readonly family: Family;
  readonly protocol?: Protocol;
}

/** The connection tracking table of this network namespace. */
export interface Conntrack {
  /** Calls back for every TCP, UDP and SCTP flow, letting the event loop turn between receives. */
  dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void>;
  /** Deletes flows; one that is gone already is no error. How many there were. */
  delete(flows: readonly Flow[]): number;
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
