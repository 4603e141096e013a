import type { Problem, Service } from '../kube/types.ts';
import type { Logger } from '../log/log.ts';
import type { Clock } from '../runner/clock.ts';
import { Breather } from '../runner/lane.ts';
import type { UdpFrontEnd } from './flow-notes.ts';
import { footprint, type NodeContext } from './footprint.ts';
import { Keys } from './keys.ts';
import type { Ledger, Owner } from './ledger.ts';
import type { Reporter } from './reporter.ts';
import type { Store } from './store.ts';
import type { Trigger } from './triggers.ts';
import { UdpChanges } from './udp-changes.ts';

/** What a Service asks for by annotations. */
export interface ServiceWishes {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` if it does not say. */
  readonly drainTimeout: number | undefined;
  /** What could not be understood, and counts as not said. */
  readonly problems: readonly Problem[];
}

/** What the bookkeeper works with. */
export interface BookkeeperOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
  readonly wishesOf: ((service: Service) => ServiceWishes) | undefined;
}

/** What entering the changes of the store touched. */
export interface Entered {
  readonly keys: Keys;
  readonly triggers: readonly Trigger[];
}

/** Brings the ledger up to date with the store: the footprints of the Services that changed, and of no others. */
export class Bookkeeper {
  readonly #options: BookkeeperOptions;
  readonly #owners = new Map<string, Owner>();
  readonly #reportedConflicts = new Set<string>();
  /** What was said of a Service's annotations last, by its key. */
  readonly #complaints = new Map<string, string>();
  readonly #udpChanges = new UdpChanges();

  constructor(options: BookkeeperOptions) {
    this.#options = options;
  }

  /** Enters everything that changed since the last time. */
  async enter(node: NodeContext): Promise<Entered> {
    const { store, clock } = this.#options;
    store.expire();
    const { services, triggers } = store.takeDirty();
    const keys = new Keys();
    const breather = new Breather(() => clock.now());
    for (const key of services) {
      this.#enter(key, { node, touched: keys });
      await breather.breathe();
    }
    return { keys, triggers };
  }

  /** UDP front ends whose endpoints changed since the last call. */
  takeUdpChanges(): readonly UdpFrontEnd[] {
    return this.#udpChanges.take();
  }

  #enter(key: string, { node, touched }: { node: NodeContext; touched: Keys }): void {
    const { store, ledger } = this.#options;
    const objects = store.objects(key);
    const owner =
      objects === undefined ? this.#owners.get(key) : { key, created: objects.service.created };
    if (owner === undefined) return;
    if (objects === undefined) this.#owners.delete(key);
    else this.#owners.set(key, owner);
    const drainTimeout = this.#drainTimeout(key, objects?.service);
    const wanted =
      objects === undefined ? undefined : footprint({ ...objects, drainTimeout }, node);
    ledger.set(owner, wanted, { touched });
    this.#udpChanges.note(key, wanted?.udpFrontEnds ?? []);
    this.#reportConflicts(owner);
  }

  /** How long a Service wants its real servers to drain; says what it says wrong, once. */
  #drainTimeout(key: string, service: Service | undefined): number | undefined {
    const { wishesOf, log, reporter } = this.#options;
    if (wishesOf === undefined) return undefined;
    const wishes = service && wishesOf(service);
    const problems = wishes?.problems ?? [];
    const complaint = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
    if (complaint === (this.#complaints.get(key) ?? '')) return wishes?.drainTimeout;
    if (complaint === '') this.#complaints.delete(key);
    else this.#complaints.set(key, complaint);
    if (complaint !== '' && service !== undefined) {
      log.error('invalid annotation', undefined, { service: key, problems: complaint });
      reporter.invalidAnnotations(service, problems);
    }
    return wishes?.drainTimeout;
  }

  /** Says of each claim that is lost, by this Service or against it, once who holds it. */
  #reportConflicts(owner: Owner): void {
    const { ledger, log, reporter, store } = this.#options;
    for (const conflict of ledger.conflictsOf(owner)) {
      const id = `${conflict.loser} ${conflict.server} ${conflict.winner}`;
      if (this.#reportedConflicts.has(id)) continue;
      this.#reportedConflicts.add(id);
      log.error('two Services want one virtual server', undefined, { ...conflict });
      const server = ledger.claim(conflict.server)?.frontEnd.server;
      const loser = store.service(conflict.loser);
      if (server !== undefined) reporter.conflict(conflict, { server, loser });
    }
  }
}
