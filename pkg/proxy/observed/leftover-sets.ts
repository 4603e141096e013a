import { errnoOf, isBusy } from '../../errno/errno.ts';
import type { Family } from '../../ip/address.ts';
import {
  type Entry,
  type IpSets,
  isSetLike,
  printSetHeader,
  type SetHeader,
  type SetStatus,
} from '../../ipset/ipset.ts';
import type { Logger } from '../../log/log.ts';
import { Yielder } from '../../runner/yielder.ts';
import { setHeader, setIds } from '../desired/sets.ts';

/** The name under which a set is filled before it takes another's place. */
export const temporaryName = 'KUBE-IPVS-TEMPORARY';

/** How many entries are written in one call. */
const batchSize = 2048;

export interface LeftoverSetsOptions {
  readonly ipsets: IpSets;
  readonly families: readonly Family[];
  /** What a set is wanted to hold. */
  readonly wantedEntries: (set: string) => Iterable<Entry>;
  /** Takes all our rules of a family out, for their sets to be destroyed. */
  readonly withdrawRules: (family: Family) => Promise<void>;
  /** Has them written again. */
  readonly requestRules: (family: Family) => void;
  readonly log: Logger;
  readonly now: () => number;
}

/** A set of ours that is not as it must be. */
interface Leftover {
  readonly wanted: SetHeader;
  readonly found: SetStatus;
}

/**
 * Puts sets right that have our names and another type, family, range or size: an older version or somebody else made them.
 *
 *     another range or size    fill a new one, swap it in, destroy the old one: rules see the one or the other
 *     another type or family   cannot be swapped: our rules out, destroy, create, fill, our rules in
 *     held by a rule of others cannot be destroyed: said once, and tried again when fewer rules refer to it
 */
export class LeftoverSets {
  readonly #options: LeftoverSetsOptions;
  /** Sets that others held, with how many rules and sets referred to them at most since. */
  readonly #held = new Map<string, number>();
  readonly #reported = new Set<string>();

  constructor(options: LeftoverSetsOptions) {
    this.#options = options;
  }

  /** Puts right what a list of all sets shows. The names of sets that are still not as they must be. */
  async repair(all: readonly SetStatus[]): Promise<ReadonlySet<string>> {
    const { families } = this.#options;
    const byName = new Map(all.map((status) => [status.header.name, status]));
    if (byName.has(temporaryName)) this.#sweep();
    const wrong = new Set<string>();
    for (const family of families) {
      const leftovers = leftoversOf(family, byName);
      const others: Leftover[] = [];
      for (const leftover of leftovers) if (!(await this.#swapIn(leftover))) others.push(leftover);
      for (const name of await this.#remakeAll(family, others)) wrong.add(name);
    }
    this.#forget(byName, wrong);
    return wrong;
  }

  /** What a crash in the middle left. */
  #sweep(): void {
    const { ipsets, log } = this.#options;
    try {
      ipsets.destroy(temporaryName);
    } catch (error) {
      log.error('could not destroy a leftover set', error, { set: temporaryName });
    }
  }

  /** False if the sets cannot be swapped, or not now. */
  async #swapIn(leftover: Leftover): Promise<boolean> {
    const { ipsets } = this.#options;
    const { wanted, found } = leftover;
    try {
      ipsets.create({ ...wanted, name: temporaryName });
      try {
        await this.#fill(leftover, temporaryName);
        ipsets.swap(temporaryName, wanted.name);
      } finally {
        ipsets.destroy(temporaryName);
      }
    } catch (error) {
      // The kernel swaps what consists of the same parts; whoever lists a set makes it busy.
      if (errnoOf(error) !== 'EINVAL') this.#report(leftover, 'could not swap a set', error);
      return false;
    }
    this.#say('swapped a set for one as it must be', { wanted, found });
    return true;
  }

  /** Makes sets of a family anew. The names of those that could not be destroyed. */
  async #remakeAll(family: Family, leftovers: readonly Leftover[]): Promise<readonly string[]> {
    const tried = leftovers.filter((leftover) => this.#isWorthTrying(leftover));
    const inUse = tried.filter(({ found }) => found.references > 0);
    if (inUse.length > 0 && !(await this.#withdrawRules(family, inUse)))
      return leftovers.map(({ wanted }) => wanted.name);
    const wrong: string[] = [];
    for (const leftover of leftovers) {
      const isRemade = tried.includes(leftover) && (await this.#remake(leftover));
      if (!isRemade) wrong.push(leftover.wanted.name);
    }
    if (inUse.length > 0) this.#options.requestRules(family);
    return wrong;
  }

  async #withdrawRules(family: Family, leftovers: readonly Leftover[]): Promise<boolean> {
    try {
      await this.#options.withdrawRules(family);
      return true;
    } catch (error) {
      for (const leftover of leftovers)
        this.#report(leftover, 'could not take our rules out to make their set anew', error);
      this.#options.requestRules(family);
      return false;
    }
  }

  async #remake(leftover: Leftover): Promise<boolean> {
    const { ipsets } = this.#options;
    const { wanted, found } = leftover;
    try {
      ipsets.destroy(wanted.name);
      ipsets.create(wanted);
    } catch (error) {
      if (isBusy(error)) this.#held.set(wanted.name, 0);
      const message = isBusy(error)
        ? 'a set must be made anew, but rules or sets of others refer to it: take those away'
        : 'could not make a set anew';
      this.#report(leftover, message, error);
      return false;
    }
    await this.#fill(leftover, wanted.name);
    this.#say('made a set anew', { wanted, found });
    return true;
  }

  /** A set that others held is tried again when fewer refer to it than ever since: our own rules go out for each attempt. */
  #isWorthTrying({ wanted, found: { references } }: Leftover): boolean {
    const most = this.#held.get(wanted.name);
    if (most === undefined || references === 0 || references < most) return true;
    this.#held.set(wanted.name, Math.max(most, references));
    return false;
  }

  /** Fills a set with what is wanted, and with what was in it and still may be: it goes when its time comes. */
  async #fill({ wanted, found }: Leftover, set: string): Promise<void> {
    const { ipsets, wantedEntries, now } = this.#options;
    const isSameType = found.header.type === wanted.type;
    const before = isSameType && set === temporaryName ? await ipsets.entries(wanted.name) : [];
    const entries = [...wantedEntries(wanted.name), ...before];
    const yielder = new Yielder(now);
    for (let start = 0; start < entries.length; start += batchSize) {
      // What does not fit is missing afterwards, and is planned as any entry that is missing.
      ipsets.write(
        entries
          .slice(start, start + batchSize)
          .map((entry) => ({ kind: 'addEntry', set, entry }) as const),
      );
      await yielder.yieldIfDue();
    }
  }

  #say(message: string, { wanted, found }: Pick<Leftover, 'wanted' | 'found'>): void {
    const [was, is] = [printSetHeader(found.header), printSetHeader(wanted)];
    this.#options.log.warn(message, { set: wanted.name, was, is });
  }

  /** Each set's trouble once, until it is over. */
  #report({ wanted, found }: Leftover, message: string, error: unknown): void {
    const key = `${wanted.name}: ${message}`;
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    const [is, mustBe] = [printSetHeader(found.header), printSetHeader(wanted)];
    this.#options.log.error(message, error, { set: wanted.name, is, mustBe });
  }

  #forget(byName: ReadonlyMap<string, SetStatus>, wrong: ReadonlySet<string>): void {
    for (const name of this.#held.keys()) if (!wrong.has(name)) this.#held.delete(name);
    for (const key of this.#reported) {
      const name = key.slice(0, key.indexOf(':'));
      if (!wrong.has(name) || !byName.has(name)) this.#reported.delete(key);
    }
  }
}

function leftoversOf(family: Family, byName: ReadonlyMap<string, SetStatus>): readonly Leftover[] {
  return setIds.flatMap((id) => {
    const wanted = setHeader(id, family);
    const found = byName.get(wanted.name);
    return found === undefined || isSetLike(found, wanted) ? [] : [{ wanted, found }];
  });
}
