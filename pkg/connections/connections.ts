import type { IpAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

/** One entry of IPVS's connection table. */
export interface IpvsConnection {
  readonly protocol: Protocol;
  /** The client's own address, masqueraded or not. A client port of 0 is a persistence template. */
  readonly client: IpAddress;
  readonly clientPort: number;
  /** The address of the virtual server. */
  readonly address: IpAddress;
  readonly port: number;
  readonly realAddress: IpAddress;
  readonly realPort: number;
  /** The kernel's name for it; of TCP `ESTABLISHED`, `SYN_RECV`, `FIN_WAIT`, `TIME_WAIT`, … */
  readonly state: string;
}

/** How much of the table a dump has read. */
export interface ConnectionDump {
  /** False if there were more entries than the limit. */
  readonly isWhole: boolean;
  /** How many lines could not be parsed. */
  readonly unreadable: number;
}

/**
 * IPVS's connection table of this network namespace. The kernel offers it only as text, and searches its place again for each page,
 * so reading a whole table takes quadratic time.
 */
export interface IpvsConnections {
  /**
   * Calls back for each TCP, UDP and SCTP connection among the first `limit` entries. Lets the event loop turn between reads. If
   * the table changes, an entry may come twice or not at all. Throws KernelError.
   */
  dump(
    options: { readonly limit: number },
    onConnection: (connection: IpvsConnection) => void,
  ): Promise<ConnectionDump>;
}
