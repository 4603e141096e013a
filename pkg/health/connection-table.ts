import { type IpAddress, isLoopback, parseAddress } from '../ip/address.ts';
import { prefix, printPrefix } from '../ip/prefix.ts';
import { type Clock, seconds } from '../runner/clock.ts';

/** How many connections are kept, and how many bytes may wait to be sent on all of them. */
export const connectionLimits = {
  /** From one address; for IPv6 from one /64, as a machine has a whole one. */
  perSource: 10,
  /** From all addresses that are not the node's own. */
  others: 100,
  /** From the node's own addresses, which the kubelet's probes use. */
  own: 50,
  /** Bytes of answers that clients have not read yet. */
  unsent: 8 * 1024 * 1024,
} as const;

/** How long a client may take to send a request, to read the answer, and to begin the next request. */
const stepDeadline = seconds(10);

/** A connected client. */
export interface Client {
  /** The key by which connections of one source are counted. */
  readonly source: string;
  readonly isOwn: boolean;
  /** Whether it connected from a loopback address. */
  readonly isLoopback: boolean;
  close(): void;
}

/** Why a connection was closed. */
export type Excess = 'too many connections' | 'too many unsent answers';

interface Entry {
  readonly client: Client;
  unsent: number;
  cancel: () => void;
}

/**
 * The connections of a server, within {@link connectionLimits}. A new one is always accepted. If there are too many, the one that
 * was idle for longest is closed, of the source with the most connections. So probes, which are short, get through.
 */
export class ConnectionTable {
  readonly #clock: Clock;
  readonly #onExcess: (excess: Excess, client: Client) => void;
  /** In order of their last activity. */
  readonly #entries = new Map<Client, Entry>();

  constructor(clock: Clock, onExcess: (excess: Excess, client: Client) => void) {
    this.#clock = clock;
    this.#onExcess = onExcess;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a connection, and closes others if there are too many. */
  enter(client: Client): void {
    const { perSource, others, own } = connectionLimits;
    const sameSource = this.#clients(({ source, isOwn }) => !isOwn && source === client.source);
    if (!client.isOwn && sameSource.length >= perSource) this.#refuse(sameSource[0]);
    const sameKind = this.#clients(({ isOwn }) => isOwn === client.isOwn);
    if (sameKind.length >= (client.isOwn ? own : others)) this.#refuse(stillest(sameKind));
    this.#renew({ client, unsent: 0, cancel: () => undefined });
  }

  /** Records that a client has sent a complete request. */
  requested(client: Client): void {
    this.#step(client, 0);
  }

  /** Records that the answer to a client will take some milliseconds. */
  takes(client: Client, milliseconds: number): void {
    const entry = this.#entries.get(client);
    if (entry !== undefined) this.#renew(entry, stepDeadline + milliseconds);
  }

  /** Records that an answer will be sent. If unsent answers are too large in all, closes connections of other clients. */
  sending(client: Client, bytes: number): void {
    this.#step(client, bytes);
    for (const entry of this.#entries.values()) {
      if (this.#unsent() <= connectionLimits.unsent) return;
      if (entry.client === client || entry.unsent === 0) continue;
      this.#onExcess('too many unsent answers', entry.client);
      this.#close(entry.client);
    }
  }

  /** Records that the answer was sent. */
  sent(client: Client): void {
    this.#step(client, 0);
  }

  /** Removes a connection. */
  leave(client: Client): void {
    this.#entries.get(client)?.cancel();
    this.#entries.delete(client);
  }

  #clients(isMeant: (client: Client) => boolean): readonly Client[] {
    return [...this.#entries.keys()].filter(isMeant);
  }

  #unsent(): number {
    return [...this.#entries.values()].reduce((sum, { unsent }) => sum + unsent, 0);
  }

  #refuse(client: Client | undefined): void {
    if (client === undefined) return;
    this.#onExcess('too many connections', client);
    this.#close(client);
  }

  #close(client: Client): void {
    this.leave(client);
    client.close();
  }

  #step(client: Client, unsent: number): void {
    const entry = this.#entries.get(client);
    if (entry === undefined) return;
    entry.unsent = unsent;
    this.#renew(entry);
  }

  #renew(entry: Entry, deadline: number = stepDeadline): void {
    entry.cancel();
    entry.cancel = this.#clock.after(deadline, () => this.#close(entry.client));
    this.#entries.delete(entry.client);
    this.#entries.set(entry.client, entry);
  }
}

/** The client that was idle for longest, of the source with the most clients. */
function stillest(clients: readonly Client[]): Client | undefined {
  const counts = Map.groupBy(clients, ({ source }) => source);
  const most = Math.max(...[...counts.values()].map(({ length }) => length));
  return clients.find(({ source }) => counts.get(source)?.length === most);
}

/** The two ends of a socket. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** The source of a connection; `undefined` if it has ended. */
export function sourceOf(
  { remoteAddress, localAddress }: Ends,
  isNodeAddress: (address: IpAddress) => boolean,
): Omit<Client, 'close'> | undefined {
  const remote = addressOf(remoteAddress);
  const local = addressOf(localAddress);
  if (remote === undefined) return undefined;
  const source = remote.includes(':') ? printPrefix(prefix(remote, 64)) : remote;
  const isOwn = remote === local || isLoopback(remote) || isAnswered(remote);
  return { source, isOwn, isLoopback: isLoopback(remote) };

  /** An address that cannot be classified counts as another's: an error must not end the server. */
  function isAnswered(address: IpAddress): boolean {
    try {
      return isNodeAddress(address);
    } catch {
      return false;
    }
  }
}

/** The address without the zone of a link-local one. */
function addressOf(text: string | undefined): IpAddress | undefined {
  return parseAddress(text?.split('%', 1)[0] ?? '');
}
