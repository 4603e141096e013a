import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import { changedFrontEnd } from './changed-front-end.ts';
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
  /** Front ends with the objects that stay added, by the front end that they were made from. */
  readonly #completed = new Map<string, { readonly from: FrontEnd; readonly to: FrontEnd }>();

  /** Whether anything of a virtual server stays. */
  has(virtualServer: string): boolean {
    return this.#virtualServers.has(virtualServer);
  }

  /** Adds objects that stay from now on. */
  keep(unexplained: Unexplained): void {
    this.#unexplained = unexplained;
    for (const [virtualServer, realServers] of unexplained.virtualServers) {
      const staying = new RealServerMap<WantedRealServer>();
      for (const realServer of realServers) staying.set(realServer, realServer);
      this.#virtualServers.set(virtualServer, staying);
    }
  }

  /** Ends that all objects stay, and returns them. */
  clear(): Unexplained {
    const cleared = this.#unexplained;
    this.#unexplained = nothing;
    this.#virtualServers.clear();
    this.#completed.clear();
    return cleared;
  }

  /** Records that a Service wants a virtual server with some real servers, which decides about these. */
  explained(virtualServer: string, { realServers }: FrontEnd): void {
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined) return;
    this.decided(virtualServer, { realServers, ids: [...staying].map(([id]) => id) });
    this.#completed.delete(virtualServer);
  }

  /** Records that the wanted endpoints of a Service changed, which decides about these. */
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
    if (this.#virtualServers.size === 0) return from;
    const staying = this.#virtualServers.get(virtualServer);
    if (staying === undefined || staying.size === 0) return from;
    const known = this.#completed.get(virtualServer);
    if (known?.from === from) return known.to;
    const realServers = new CompletedRealServers(from.realServers, staying);
    const to = changedFrontEnd(from, { realServers });
    this.#completed.set(virtualServer, { from, to });
    return to;
  }
}

/** The wanted real servers of a front end, and those that stay. */
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

  alike(): undefined {
    return undefined;
  }
}
