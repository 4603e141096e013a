import type { IpAddress } from '../../ip/address.ts';
import type { FrontEnd, SetEntry } from './footprint.ts';
import type { WantedRealServer } from './real-servers.ts';

type RealServers = ReadonlyMap<string, WantedRealServer>;

/** What a start found in the kernel and no object of the API explains. */
export interface Unexplained {
  /** Real servers by key, by the key of their virtual server; a virtual server that nobody wants is there also without any. */
  readonly virtualServers: ReadonlyMap<string, RealServers>;
  readonly entries: readonly SetEntry[];
  readonly addresses: readonly IpAddress[];
}

const nothing: Unexplained = { virtualServers: new Map(), entries: [], addresses: [] };

/** The real servers that stay, as if they were wanted, until it is decided whether they are. */
export class Undecided {
  #unexplained = nothing;
  readonly #virtualServers = new Map<string, RealServers>();
  /** Front ends with what stays besides what they want themselves, each for the front end that it was made from. */
  readonly #completed = new Map<string, { readonly from: FrontEnd; readonly to: FrontEnd }>();

  /** Whether anything of a virtual server stays. */
  has(virtualServer: string): boolean {
    return this.#virtualServers.has(virtualServer);
  }

  /** From now on this stays. */
  keep(unexplained: Unexplained): void {
    this.#unexplained = unexplained;
    for (const [virtualServer, realServers] of unexplained.virtualServers)
      this.#virtualServers.set(virtualServer, realServers);
  }

  /** Nothing stays any more; what did. */
  clear(): Unexplained {
    const cleared = this.#unexplained;
    this.#unexplained = nothing;
    this.#virtualServers.clear();
    this.#completed.clear();
    return cleared;
  }

  /** A Service wants a virtual server with some real servers: about these it is decided. */
  explained(virtualServer: string, { realServers }: FrontEnd): void {
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined) return;
    this.#virtualServers.set(
      virtualServer,
      new Map([...staying].filter(([key]) => !realServers.has(key))),
    );
    this.#completed.delete(virtualServer);
  }

  /** A front end with the real servers that stay besides its own. */
  completed(virtualServer: string, from: FrontEnd): FrontEnd {
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined || staying.size === 0) return from;
    const known = this.#completed.get(virtualServer);
    if (known?.from === from) return known.to;
    const to = { ...from, realServers: new Map([...staying, ...from.realServers]) };
    this.#completed.set(virtualServer, { from, to });
    return to;
  }
}
