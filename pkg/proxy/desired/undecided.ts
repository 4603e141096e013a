import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { FrontEnd, SetEntry } from './footprint.ts';
import { RealServerMap } from './real-server-map.ts';
import type { RealServers, WantedRealServer } from './real-servers.ts';

/** What a start found in the kernel and no object of the API explains. */
export interface Unexplained {
  /** Real servers, by the key of their virtual server; a virtual server that nobody wants is there also without any. */
  readonly virtualServers: ReadonlyMap<string, readonly WantedRealServer[]>;
  readonly entries: readonly SetEntry[];
  readonly addresses: readonly IpAddress[];
}

const nothing: Unexplained = { virtualServers: new Map(), entries: [], addresses: [] };

/** The real servers that stay, as if they were wanted, until it is decided whether they are. */
export class Undecided {
  #unexplained = nothing;
  readonly #virtualServers = new Map<string, RealServerMap<WantedRealServer>>();
  /** Front ends with what stays besides what they want themselves, each for the front end that it was made from. */
  readonly #completed = new Map<string, { readonly from: FrontEnd; readonly to: FrontEnd }>();

  /** Whether anything of a virtual server stays. */
  has(virtualServer: string): boolean {
    return this.#virtualServers.has(virtualServer);
  }

  /** From now on this stays. */
  keep(unexplained: Unexplained): void {
    this.#unexplained = unexplained;
    for (const [virtualServer, realServers] of unexplained.virtualServers) {
      const staying = new RealServerMap<WantedRealServer>();
      for (const realServer of realServers) staying.set(realServer, realServer);
      this.#virtualServers.set(virtualServer, staying);
    }
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
    this.decided(virtualServer, { realServers, ids: [...staying].map(([id]) => id) });
    this.#completed.delete(virtualServer);
  }

  /** A Service wants other endpoints than before: about those that it wants it is decided. */
  decided(
    virtualServer: string,
    { realServers, ids }: { realServers: RealServers; ids: readonly RealServerId[] },
  ): void {
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined) return;
    for (const id of ids) if (realServers.get(id) !== undefined) staying.delete(id);
  }

  /** A front end with the real servers that stay besides its own. */
  completed(virtualServer: string, from: FrontEnd): FrontEnd {
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined || staying.size === 0) return from;
    const known = this.#completed.get(virtualServer);
    if (known?.from === from) return known.to;
    const to = { ...from, realServers: new CompletedRealServers(from.realServers, staying) };
    this.#completed.set(virtualServer, { from, to });
    return to;
  }
}

/** What a front end wants, and what stays besides. */
class CompletedRealServers implements RealServers {
  readonly #wanted: RealServers;
  readonly #staying: RealServerMap<WantedRealServer>;

  constructor(wanted: RealServers, staying: RealServerMap<WantedRealServer>) {
    this.#wanted = wanted;
    this.#staying = staying;
  }

  get capacity(): number {
    return this.#wanted.capacity + this.#staying.size;
  }

  get isFallback(): boolean {
    return this.#wanted.isFallback;
  }

  get(id: RealServerId): WantedRealServer | undefined {
    return this.#wanted.get(id) ?? this.#staying.get(id);
  }

  values(): readonly WantedRealServer[] {
    const isStaying = (one: WantedRealServer) => this.#wanted.get(one) === undefined;
    return [...[...this.#staying.values()].filter(isStaying), ...this.#wanted.values()];
  }
}
