import type { Logger } from '../log/log.ts';
import type { Clock } from '../runner/clock.ts';
import { Breather } from '../runner/lane.ts';
import type { UdpFrontEnd } from './flow-notes.ts';
import { footprint, type NodeContext } from './footprint.ts';
import { Keys } from './keys.ts';
import type { Ledger, Owner } from './ledger.ts';
import type { Reporter } from './reporter.ts';
import type { Store } from './store.ts';
import { UdpChanges } from './udp-changes.ts';

/** What the bookkeeper works with. */
export interface BookkeeperOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
}

/** What entering the changes of the store touched. */
export interface Entered {
  readonly keys: Keys;
  /** When the changes were caused, in milliseconds since 1970. */
  readonly triggerTimes: readonly number[];
}

/** Brings the ledger up to date with the store: the footprints of the Services that changed, and of no others. */
export class Bookkeeper {
  readonly #options: BookkeeperOptions;
  readonly #owners = new Map<string, Owner>();
  readonly #reportedConflicts = new Set<string>();
  readonly #udpChanges = new UdpChanges();

  constructor(options: BookkeeperOptions) {
    this.#options = options;
  }

  /** Enters everything that changed since the last time. */
  async enter(node: NodeContext): Promise<Entered> {
    const { store, clock } = this.#options;
    store.expire();
    const { services, triggerTimes } = store.takeDirty();
    const keys = new Keys();
    const breather = new Breather(() => clock.now());
    for (const key of services) {
      this.#enter(key, { node, touched: keys });
      await breather.breathe();
    }
    return { keys, triggerTimes };
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
    const wanted = objects === undefined ? undefined : footprint(objects, node);
    ledger.set(owner, wanted, { touched });
    this.#udpChanges.note(key, wanted?.udpFrontEnds ?? []);
    this.#reportConflicts(owner);
  }

  /** Says of each claim that is lost, by this Service or against it, once who holds it. */
  #reportConflicts(owner: Owner): void {
    const { ledger, log, reporter } = this.#options;
    for (const conflict of ledger.conflictsOf(owner)) {
      const id = `${conflict.loser} ${conflict.server} ${conflict.winner}`;
      if (this.#reportedConflicts.has(id)) continue;
      this.#reportedConflicts.add(id);
      log.error('two Services want one virtual server', undefined, { ...conflict });
      reporter.conflict(conflict);
    }
  }
}
