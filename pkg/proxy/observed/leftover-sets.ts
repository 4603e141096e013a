import type { Family } from '../../ip/address.ts';
import {
  type Entry,
  entriesIfThere,
  type IpSets,
  isSetLike,
  type SetHeader,
  type SetStatus,
} from '../../ipset/ipset.ts';
import { setHeader, setIds, setName, setSize } from '../desired/sets.ts';

/** The name of a set that is filled before it is swapped in. */
export const temporarySet = 'KUBE-IPVS-TEMPORARY';

/**
 * A set that has one of our names and another type, family, range or size than it should. An older version or another program made
 * it, or the number of wanted entries has changed.
 */
export interface LeftoverSet {
  readonly family: Family;
  readonly wanted: SetHeader;
  readonly found: SetStatus;
  /** It differs in its size alone, so entries can be written to it. */
  readonly isUsable: boolean;
  /** Its entries; none for a set of another type. */
  readonly entries: Iterable<Entry>;
}

/** The sets to replace, and whether a temporary one has to be destroyed. */
export interface LeftoverSets {
  readonly sets: readonly LeftoverSet[];
  /** Whether a set exists that a crash left in the middle of a swap. */
  readonly hasTemporary: boolean;
}

/** Finds the sets of a list that have our names and another header than they should. */
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
      const entries = isSameType ? await entriesIfThere(ipsets, wanted.name) : undefined;
      const isUsable = isSetLike(found, setHeader(id, family, maxElementsOf(found)));
      sets.push({ family, wanted, found, isUsable, entries: entries ?? [] });
    }
  }
  return { sets, hasTemporary: byName.has(temporarySet) };
}

/** The size that a set should have: large enough for its present entries too, as they stay until they are deleted in order. */
function sizeOf(found: SetStatus, ledger: { entryCount(set: string): number }): number {
  const needed = Math.max(found.entryCount, ledger.entryCount(found.header.name));
  return setSize({ needed, size: maxElementsOf(found) });
}

/** The size of a set; 0 for one without a limit. */
function maxElementsOf({ header }: SetStatus): number {
  return 'maxElements' in header ? header.maxElements : 0;
}
