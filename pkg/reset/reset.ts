import { type IpAddress, printHostPort } from '../ip/address.ts';

/** A TCP connection by its client's addresses and ports. */
export interface ClientConnection {
  /** The address that the client connected to. */
  readonly server: IpAddress;
  readonly serverPort: number;
  readonly client: IpAddress;
  readonly clientPort: number;
}

/**
 * Makes clients look whether their connection is still there. A client that only waits for its server sends nothing, so
 * nobody can tell it that the server is gone. It gets a SYN instead, as if from its server: it answers with a challenge ACK
 * (RFC 5961, section 4.2), and that packet meets what any packet of it would meet: a reset if the server is gone, nothing at all
 * if it is not.
 *
 *     client                     node
 *        │  ← SYN from VIP:80      │  forged, any sequence number
 *        │    ACK to VIP:80 →      │  no such connection
 *        │  ← RST from VIP:80      │
 */
export interface Resetter {
  /** Sends a SYN to a client. Both ends are of one family. Returns whether it was sent. Throws KernelError. */
  challenge(connection: ClientConnection): boolean;
  /**
   * Sends a RST to a virtual server of this node, as if from the client. IPVS ignores sequence numbers: for it the connection is
   * closed, and it forgets it 10 s after the last packet. A real server ignores the RST because of its arbitrary number. Returns
   * whether it was sent. Throws KernelError.
   */
  abort(connection: ClientConnection): boolean;
}

/** The SYN of a connection for error messages: `172.30.0.1:80 > 10.0.1.1:1024`. */
export function printChallenge({
  server,
  serverPort,
  client,
  clientPort,
}: ClientConnection): string {
  return `${printHostPort(server, serverPort)} > ${printHostPort(client, clientPort)}`;
}

/** The RST of a connection for error messages: `10.0.1.1:1024 > 172.30.0.1:80`. */
export function printAbort({ server, serverPort, client, clientPort }: ClientConnection): string {
  return `${printHostPort(client, clientPort)} > ${printHostPort(server, serverPort)}`;
}
