import { type IpAddress, isLoopback, parseAddress } from '../ip/address.ts';
import { prefix, printPrefix } from '../ip/prefix.ts';
import { type Clock, seconds } from '../runner/clock.ts';

/** How many connections are kept, and how much may wait to be sent on all of them. */
export const connectionLimits = {
  /** From one address; of IPv6 from one /64, as that is what a machine is given. */
  perSource: 10,
  /** From all addresses but the node's own. */
  others: 100,
  /** From the node's own addresses: the kubelet's probes come from there. */
  own: 50,
  /** Bytes of answers that clients have not taken yet. */
  unsent: 8 * 1024 * 1024,
} as const;

/** How long a client may take for each step: to send a request, to take the answer, to begin with the next request. */
const stepDeadline = seconds(10);

/** Who is connected. */
export interface Client {
  /** What is counted as one source. */
  readonly source: string;
  readonly isOwn: boolean;
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
 * The connections of a server within {@link connectionLimits}. A new one is always let in: where there are too many the one that
 * stood still for longest is closed, of the source that has most, so that probes, which are short, get through.
 */
export class ConnectionTable {
  readonly #clock: Clock;
  readonly #onExcess: (excess: Excess, client: Client) => void;
  /** Those that did something last stand last. */
  readonly #entries = new Map<Client, Entry>();

  constructor(clock: Clock, onExcess: (excess: Excess, client: Client) => void) {
    this.#clock = clock;
    this.#onExcess = onExcess;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Lets a connection in, and closes others that are too many. */
  enter(client: Client): void {
    const { perSource, others, own } = connectionLimits;
    const sameSource = this.#clients(({ source, isOwn }) => !isOwn && source === client.source);
    if (!client.isOwn && sameSource.length >= perSource) this.#refuse(sameSource[0]);
    const sameKind = this.#clients(({ isOwn }) => isOwn === client.isOwn);
    if (sameKind.length >= (client.isOwn ? own : others)) this.#refuse(stillest(sameKind));
    this.#renew({ client, unsent: 0, cancel: () => undefined });
  }

  /** A client sent a whole request. */
  requested(client: Client): void {
    this.#step(client, 0);
  }

  /** The answer to a client takes so many milliseconds. */
  takes(client: Client, milliseconds: number): void {
    const entry = this.#entries.get(client);
    if (entry !== undefined) this.#renew(entry, stepDeadline + milliseconds);
  }

  /** An answer is about to be sent; answers that others do not take are given up if all of them are too large together. */
  sending(client: Client, bytes: number): void {
    this.#step(client, bytes);
    for (const entry of this.#entries.values()) {
      if (this.#unsent() <= connectionLimits.unsent) return;
      if (entry.client === client || entry.unsent === 0) continue;
      this.#onExcess('too many unsent answers', entry.client);
      this.#close(entry.client);
    }
  }

  /** A client's answer has been sent. */
  sent(client: Client): void {
    this.#step(client, 0);
  }

  /** A connection is over. */
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

/** The first of the source that has most; of several such sources the first one. */
function stillest(clients: readonly Client[]): Client | undefined {
  const counts = Map.groupBy(clients, ({ source }) => source);
  const most = Math.max(...[...counts.values()].map(({ length }) => length));
  return clients.find(({ source }) => counts.get(source)?.length === most);
}

/** What a socket says of its two ends. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** Where a connection comes from; `undefined` if it is over already. */
export function sourceOf(
  { remoteAddress, localAddress }: Ends,
  isNodeAddress: (address: IpAddress) => boolean,
): Pick<Client, 'source' | 'isOwn'> | undefined {
  const remote = addressOf(remoteAddress);
  const local = addressOf(localAddress);
  if (remote === undefined) return undefined;
  const source = remote.includes(':') ? printPrefix(prefix(remote, 64)) : remote;
  return { source, isOwn: remote === local || isLoopback(remote) || isAnswered(remote) };

  /** Whoever cannot be told from others has their room: a failing question must not end the server. */
  function isAnswered(address: IpAddress): boolean {
    try {
      return isNodeAddress(address);
    } catch {
      return false;
    }
  }
}

/** The zone of a link-local address is left out. */
function addressOf(text: string | undefined): IpAddress | undefined {
  return parseAddress(text?.split('%', 1)[0] ?? '');
}
