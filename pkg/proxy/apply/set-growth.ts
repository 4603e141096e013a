import { type Family, families } from '../../ip/address.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import { seconds } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { type SetId, setHeader, setIds, setName, setSize } from '../desired/sets.ts';
import type { MirrorView } from '../observed/mirror.ts';
import type { SetReplacer } from './set-replacer.ts';

/** How long to wait before a set that could not grow is tried again, in milliseconds. */
const pause = seconds(1);

export interface SetGrowthOptions {
  readonly ledger: Pick<Ledger, 'wantsEntry'>;
  readonly mirror: MirrorView;
  readonly replacer: Pick<SetReplacer, 'grow'>;
  readonly now: () => number;
}

/** The set and the family of a set's name in the kernel. */
const places: ReadonlyMap<string, { readonly id: SetId; readonly family: Family }> = new Map(
  setIds.flatMap((id) => families.map((family) => [setName(id, family), { id, family }] as const)),
);

/** Makes sets larger that the next additions would overfill: a larger one is filled and swapped in. */
export class SetGrowth {
  readonly #options: SetGrowthOptions;
  /** Sets that could not grow, and when they are tried again. */
  readonly #failed = new Map<string, number>();

  constructor(options: SetGrowthOptions) {
    this.#options = options;
  }

  /** Makes room for the wanted entries among some keys. If that fails, the additions that do not fit fail, and are retried. */
  async makeRoom({ entries }: Pick<Keys, 'entries'>, token: MutexToken): Promise<void> {
    const { ledger, mirror, now } = this.#options;
    const yielder = new Yielder(now);
    for (const [set, some] of entries) {
      const size = mirror.setSize(set);
      const held = mirror.sets.get(set);
      if (size === undefined || held === undefined || held.size + some.size <= size) continue;
      let needed = held.size;
      for (const key of some.keys()) {
        if (ledger.wantsEntry(set, key) && !held.has(key)) needed++;
        if (yielder.isDue) await yielder.yieldIfDue();
      }
      await this.#grow(set, { size, needed, token });
    }
  }

  async #grow(
    set: string,
    { size, needed, token }: { size: number; needed: number; token: MutexToken },
  ): Promise<void> {
    const { mirror, replacer, now } = this.#options;
    const place = places.get(set);
    const larger = setSize({ needed, size });
    if (place === undefined || larger <= size || now() < (this.#failed.get(set) ?? 0)) return;
    const { id, family } = place;
    const leftover = {
      family,
      wanted: setHeader(id, family, larger),
      found: {
        header: setHeader(id, family, size),
        hasExtensions: false,
        references: 0,
        entryCount: mirror.sets.get(set)?.size ?? 0,
      },
      isUsable: true,
      // Wanted entries are filled into the new set anyway.
      entries: await this.#unwanted(set),
    };
    if (await replacer.grow(leftover, token)) this.#failed.delete(set);
    else this.#failed.set(set, now() + pause);
  }

  /** The entries of a set that are not wanted. */
  async #unwanted(set: string): Promise<readonly Entry[]> {
    const { ledger, mirror, now } = this.#options;
    const yielder = new Yielder(now);
    const unwanted: Entry[] = [];
    for (const entry of mirror.sets.get(set)?.values() ?? []) {
      if (!ledger.wantsEntry(set, entryKey(entry))) unwanted.push(entry);
      if (yielder.isDue) await yielder.yieldIfDue();
    }
    return unwanted;
  }
}
