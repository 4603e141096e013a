import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { printHostPort } from '../ip/address.ts';
import type { ConnectionDump, IpvsConnection, IpvsConnections } from './connections.ts';

/** IPVS's connection table in memory. */
export class FakeIpvsConnections implements IpvsConnections {
  /** How often the table was read. */
  dumps = 0;
  /** Returns the code that a dump fails with. */
  failWith: () => ErrnoCode | undefined = () => undefined;
  /** How many lines of the table cannot be parsed. */
  unreadable = 0;
  readonly #connections = new Map<string, IpvsConnection>();

  async dump(
    { limit }: { readonly limit: number },
    onConnection: (connection: IpvsConnection) => void,
  ): Promise<ConnectionDump> {
    this.dumps++;
    const code = this.failWith();
    if (code !== undefined) throw new KernelError('read the connections of IPVS', code);
    const { unreadable } = this;
    let entries = 0;
    for (const connection of this.#connections.values()) {
      if (entries++ === limit) return { isWhole: false, unreadable };
      onConnection(connection);
    }
    return { isWhole: true, unreadable };
  }

  /** Adds a connection or changes its state. */
  insert(connection: IpvsConnection): void {
    this.#connections.set(keyOf(connection), connection);
  }

  /** Removes a connection. */
  remove(connection: IpvsConnection): void {
    this.#connections.delete(keyOf(connection));
  }
}

function keyOf({ protocol, client, clientPort, address, port }: IpvsConnection): string {
  return `${protocol} ${printHostPort(client, clientPort)} ${printHostPort(address, port)}`;
}
