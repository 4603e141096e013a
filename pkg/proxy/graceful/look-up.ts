import type { IpvsConnections } from '../../connections/connections.ts';
import type { FlowKind } from '../../conntrack/conntrack.ts';
import { families, familyOf } from '../../ip/address.ts';
import type { Logger } from '../../log/log.ts';
import { seconds } from '../../runner/clock.ts';
import { FlowEndsMap } from '../flows/flow-ends.ts';
import type { FlowReader } from '../flows/flow-reader.ts';
import { type Cleanup, noCleanup } from '../plan/cleanup.ts';
import type { KeptSettings } from '../settings/kernel-settings.ts';
import type { Leaving } from './client-search.ts';
import { type Search, TcpSearch, UdpSearch } from './search.ts';

export interface CleanupLookUpOptions {
  readonly reader: Pick<FlowReader, 'read' | 'readNow' | 'isDue'>;
  readonly connections: IpvsConnections;
  /** The kernel settings that decide how IPVS treats packets of clients whose real server was deleted. */
  readonly settings: KeptSettings;
  readonly log: Logger;
  /** How many clients wait to be reset. */
  readonly backlog: () => number;
}

/** What has to happen around the deletion of some real servers. */
export type FoundCleanups = Pick<FlowEndsMap<Cleanup>, 'get'>;

/**
 * How long a look-up waits for others, in milliseconds. The drains of a pod in many virtual servers end one after the other, and
 * one dump serves them all.
 */
const gathering = { TCP: seconds(0.05), UDP: seconds(0.02) };
/** How many clients may wait to be reset. At the rate of resets the last one waits for 20 s. */
const clientLimit = 20_000;

/** The flows of one family and protocol. */
type ResettableKind = FlowKind & { readonly protocol: 'TCP' | 'UDP' };

const kinds: readonly ResettableKind[] = families.flatMap((family) => [
  { family, protocol: 'TCP' },
  { family, protocol: 'UDP' },
]);

/**
 * Looks up what has to happen around the deletion of real servers: for TCP the clients with established connections, for UDP the
 * flows. If that fails, the error is logged and the result is empty.
 */
export class CleanupLookUp {
  readonly #options: CleanupLookUpOptions;
  readonly #gatherers: ReadonlyMap<ResettableKind, Gatherer>;

  constructor(options: CleanupLookUpOptions) {
    this.#options = options;
    this.#gatherers = new Map(kinds.map((kind) => [kind, new Gatherer(options, kind)]));
  }

  /** Whether IPVS expires connections of a deleted real server. If not, connections that are closing must be closed too. */
  get expiresConnections(): boolean {
    return this.#options.settings.expiresConnections;
  }

  /** Looks up as soon as conntrack may be read. Throws if the program ends before. */
  async find(leaving: readonly Leaving[]): Promise<FoundCleanups> {
    return await this.#find(leaving, (gatherer, some) => gatherer.find(some));
  }

  /** Whether what has to happen around a deletion may be looked up at this moment. */
  isDue({ virtualServer: { address, protocol } }: Leaving): boolean {
    const family = familyOf(address);
    return protocol === 'SCTP' || this.#options.reader.isDue({ family, protocol });
  }

  /** Looks up without waiting. Call it only if {@link isDue}. */
  async findNow(leaving: readonly Leaving[]): Promise<FoundCleanups> {
    return await this.#find(leaving, (gatherer, some) => gatherer.findNow(some));
  }

  async #find(
    leaving: readonly Leaving[],
    find: (gatherer: Gatherer, some: readonly Leaving[]) => Promise<FoundCleanups>,
  ): Promise<FoundCleanups> {
    const found = new FlowEndsMap<Cleanup>();
    const findOf = async (kind: ResettableKind, gatherer: Gatherer) => {
      const some = leaving.filter((one) => isOf(one, kind));
      if (some.length === 0) return;
      const cleanups = await find(gatherer, some);
      for (const one of some) found.set(one, cleanups.get(one) ?? noCleanup);
    };
    await Promise.all([...this.#gatherers].map(([kind, gatherer]) => findOf(kind, gatherer)));
    return found;
  }
}

function isOf({ virtualServer: { address, protocol } }: Leaving, kind: ResettableKind): boolean {
  return protocol === kind.protocol && familyOf(address) === kind.family;
}

/** A caller that waits for a look-up. */
interface Waiting {
  readonly leaving: readonly Leaving[];
  readonly resolve: (found: FoundCleanups) => void;
  readonly reject: (error: unknown) => void;
}

/** The look-ups of one family and protocol. One dump serves all callers that wait when it begins. */
class Gatherer {
  readonly #options: CleanupLookUpOptions;
  readonly #kind: ResettableKind;
  #waiting: Waiting[] = [];
  #isReading = false;

  constructor(options: CleanupLookUpOptions, kind: ResettableKind) {
    this.#options = options;
    this.#kind = kind;
  }

  find(leaving: readonly Leaving[]): Promise<FoundCleanups> {
    const { promise, resolve, reject } = Promise.withResolvers<FoundCleanups>();
    this.#waiting.push({ leaving, resolve, reject });
    if (!this.#isReading) void this.#readAll();
    return promise;
  }

  async findNow(leaving: readonly Leaving[]): Promise<FoundCleanups> {
    const { reader } = this.#options;
    const search = this.#search(leaving);
    try {
      await reader.readNow(this.#kind, () => (flow) => search.see(flow));
    } catch (error) {
      this.#logFailure(error);
    }
    await search.finish();
    return cleanupsOf(leaving, search);
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#waiting.length > 0) await this.#readOnce();
    this.#isReading = false;
  }

  async #readOnce(): Promise<void> {
    let served: readonly Waiting[] = [];
    const searches: Search[] = [];
    const begin = () => {
      served = this.#take();
      const search = this.#search(served.flatMap(({ leaving }) => leaving));
      searches.push(search);
      return search.see.bind(search);
    };
    const options = { gathering: gathering[this.#kind.protocol] };
    try {
      await this.#options.reader.read(this.#kind, begin, options);
    } catch (error) {
      if (searches.length > 0) this.#logFailure(error);
      else for (const { reject } of this.#take()) reject(error);
    }
    for (const search of searches) {
      await search.finish();
      for (const { leaving, resolve } of served) resolve(cleanupsOf(leaving, search));
    }
  }

  #take(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  #search(leaving: readonly Leaving[]): Search {
    const { connections, settings, log, backlog } = this.#options;
    try {
      settings.restore();
    } catch (error) {
      log.error('could not look at the settings of the kernel', error);
    }
    if (this.#kind.protocol === 'UDP') return new UdpSearch(leaving);
    return new TcpSearch(leaving, { connections, settings, log, limit: clientLimit - backlog() });
  }

  #logFailure(error: unknown): void {
    const { family, protocol } = this.#kind;
    const what = protocol === 'TCP' ? 'clients' : 'flows';
    this.#options.log.error(
      `could not look up the ${family} ${what} of real servers that go`,
      error,
    );
  }
}

function cleanupsOf(leaving: readonly Leaving[], search: Search): FoundCleanups {
  const cleanups = new FlowEndsMap<Cleanup>();
  for (const one of leaving) cleanups.set(one, search.cleanupOf(one));
  return cleanups;
}
