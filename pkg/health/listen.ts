import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type IpAddress, isUnspecified } from '../ip/address.ts';

/** The address and port to listen on. */
export interface ListenAddress {
  /** An unspecified address means all addresses of both families. */
  readonly address: IpAddress;
  /** 0 for any free port. */
  readonly port: number;
}

export interface ListenOptions {
  readonly onConnection: (socket: Socket) => void;
  /** Called with the actual address and port once the socket listens. */
  readonly onListening: (listening: ListenAddress) => void;
  readonly signal: AbortSignal;
}

/**
 * Listens until the signal aborts, on the first form of the address that the machine supports. Returns the last error, or
 * `undefined` after an abort.
 */
export async function listenUntilAborted(
  { address, port }: ListenAddress,
  { onConnection, onListening, signal }: ListenOptions,
): Promise<NodeJS.ErrnoException | undefined> {
  let failure: NodeJS.ErrnoException | undefined;
  for (const host of hosts(address)) {
    if (signal.aborted) return undefined;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    failure = await listen(server, { host, port });
    if (failure === undefined) {
      const listening = server.address() as AddressInfo; // it listens on an address, not on a pipe
      onListening({ address: listening.address as IpAddress, port: listening.port }); // the kernel's text
      await closedAfter(signal, server);
      return undefined;
    }
    if (!hasNoFamily(failure)) break;
  }
  return failure;
}

async function closedAfter(signal: AbortSignal, server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    // Accepted connections are closed by their owner. The server is closed only after them.
    const close = () => void server.close(() => resolve());
    if (signal.aborted) close();
    else signal.addEventListener('abort', close, { once: true });
  });
}

/** The addresses to try. As in Go, one socket serves both families if the machine has IPv6. */
function hosts(address: IpAddress): readonly string[] {
  return isUnspecified(address) ? ['::', '0.0.0.0'] : [address];
}

/** Whether the machine lacks the family of an address. */
function hasNoFamily({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}

/** Begins to listen. Returns the error, if any. */
async function listen(
  server: Server,
  where: { host: string; port: number },
): Promise<NodeJS.ErrnoException | undefined> {
  return await new Promise((resolve) => {
    // The listener stays: a later error, of one connection, must not end the program.
    server.on('error', resolve);
    server.listen(where, () => resolve(undefined));
  });
}
