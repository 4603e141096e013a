import { isNotFound } from '../../errno/errno.ts';
import type { Family } from '../../ip/address.ts';
import {
  type Entry,
  type IpSets,
  isSetLike,
  type SetHeader,
  type SetStatus,
} from '../../ipset/ipset.ts';
import { setHeader, setIds, setName, setSize } from '../desired/sets.ts';

/** The name under which a set is filled before it takes another's place. */
export const temporarySet = 'KUBE-IPVS-TEMPORARY';

/**
 * A set that has one of our names and another type, family, range or size than it should: an older version or somebody else made it, or
 * it has to hold more than it has room for, or no longer has to.
 */
export interface LeftoverSet {
  readonly family: Family;
  readonly wanted: SetHeader;
  readonly found: SetStatus;
  /** It differs in its size alone: entries can be written to it as it is. */
  readonly isUsable: boolean;
  /** What it holds; nothing is read from a set of another type. */
  readonly entries: Iterable<Entry>;
}

/** What a list of all sets shows that is to be replaced or swept. */
export interface LeftoverSets {
  readonly sets: readonly LeftoverSet[];
  /** Whether a set is there that a crash left in the middle of a swap. */
  readonly hasTemporary: boolean;
}

/** The sets of a list that have our names and are not as they must be. */
export async function readLeftoverSets(
  all: readonly SetStatus[],
  {
    ipsets,
    families,
    ledger,
  }: {
    ipsets: Pick<IpSets, 'entries'>;
    families: readonly Family[];
    ledger: { entryCount(set: string): number };
  },
): Promise<LeftoverSets> {
  const byName = new Map(all.map((status) => [status.header.name, status]));
  const sets: LeftoverSet[] = [];
  for (const family of families) {
    for (const id of setIds) {
      const found = byName.get(setName(id, family));
      if (found === undefined) continue;
      const wanted = setHeader(id, family, sizeOf(found, ledger));
      if (isSetLike(found, wanted)) continue;
      const isSameType = found.header.type === wanted.type;
      const entries = isSameType ? await entriesOf(wanted.name, ipsets) : [];
      const isUsable = isSetLike(found, setHeader(id, family, maxElementsOf(found)));
      sets.push({ family, wanted, found, isUsable, entries });
    }
  }
  return { sets, hasTemporary: byName.has(temporarySet) };
}

/** How large a set should be that was found: large enough for what it holds, too, which stays until its time comes. */
function sizeOf(found: SetStatus, ledger: { entryCount(set: string): number }): number {
  const needed = Math.max(found.entryCount, ledger.entryCount(found.header.name));
  return setSize({ needed, size: maxElementsOf(found) });
}

/** 0 for a set that has no such limit. */
function maxElementsOf({ header }: SetStatus): number {
  return 'maxElements' in header ? header.maxElements : 0;
}

/** None if somebody has just destroyed the set. */
async function entriesOf(set: string, ipsets: Pick<IpSets, 'entries'>): Promise<readonly Entry[]> {
  try {
    return await ipsets.entries(set);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
