import type { IpAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

/** One entry of IPVS's connection table. */
export interface IpvsConnection {
  readonly protocol: Protocol;
  /** As the client sees itself, masqueraded or not; a client port of 0 is a persistence template. */
  readonly client: IpAddress;
  readonly clientPort: number;
  /** The virtual server. */
  readonly address: IpAddress;
  readonly port: number;
  readonly realAddress: IpAddress;
  readonly realPort: number;
  /** As the kernel names it: `ESTABLISHED`, `SYN_RECV`, `FIN_WAIT`, `TIME_WAIT`, … of TCP. */
  readonly state: string;
}

/** How far a dump came. */
export interface ConnectionDump {
  /** False if there were more entries than the limit: those beyond it were not read. */
  readonly isWhole: boolean;
  /** Lines that were not understood, and left out. */
  readonly unreadable: number;
}

/**
 * IPVS's own connection table of this network namespace. The kernel offers it as text only, and finds its place in it anew for each
 * page: to read all of a long one takes time that grows with the square of its length.
 */
export interface IpvsConnections {
  /**
   * Calls back for every TCP, UDP and SCTP connection among the first entries of the table, letting the event loop turn between
   * reads. While the table changes an entry may come twice or not at all. Throws KernelError.
   */
  dump(
    options: { readonly limit: number },
    onConnection: (connection: IpvsConnection) => void,
  ): Promise<ConnectionDump>;
}
