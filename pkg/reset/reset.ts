import { type IpAddress, printHostPort } from '../ip/address.ts';

/** A TCP connection as its client's packets name it, from the other side: where the server is, and where the client. */
export interface ClientConnection {
  /** Where the client connected to. */
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
  /** Sends one SYN to a client, both ends of one family. Throws KernelError. */
  challenge(connection: ClientConnection): void;
  /**
   * Sends one RST to a virtual server of this node, as if from the client. IPVS does not look at sequence numbers: the connection is
   * closed to it, which it forgets 10 s after its last packet. To a live server the RST means nothing, for its number is arbitrary.
   * Throws KernelError.
   */
  abort(connection: ClientConnection): void;
}

/** `172.30.0.1:80 > 10.0.1.1:1024`: how errors call the SYN of a connection. */
export function printChallenge({
  server,
  serverPort,
  client,
  clientPort,
}: ClientConnection): string {
  return `${printHostPort(server, serverPort)} > ${printHostPort(client, clientPort)}`;
}

/** `10.0.1.1:1024 > 172.30.0.1:80`: how errors call the RST of a connection. */
export function printAbort({ server, serverPort, client, clientPort }: ClientConnection): string {
  return `${printHostPort(client, clientPort)} > ${printHostPort(server, serverPort)}`;
}
