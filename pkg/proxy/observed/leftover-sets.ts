import { isNotFound } from '../../errno/errno.ts';
import type { Family } from '../../ip/address.ts';
import {
  type Entry,
  type IpSets,
  isSetLike,
  type SetHeader,
  type SetStatus,
} from '../../ipset/ipset.ts';
import { setHeader, setIds } from '../desired/sets.ts';

/** The name under which a set is filled before it takes another's place. */
export const temporarySet = 'KUBE-IPVS-TEMPORARY';

/** A set that has one of our names and another type, family, range or size: an older version or somebody else made it. */
export interface LeftoverSet {
  readonly family: Family;
  readonly wanted: SetHeader;
  readonly found: SetStatus;
  /** What it holds; nothing is read from a set of another type. */
  readonly entries: readonly Entry[];
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
  { ipsets, families }: { ipsets: Pick<IpSets, 'entries'>; families: readonly Family[] },
): Promise<LeftoverSets> {
  const byName = new Map(all.map((status) => [status.header.name, status]));
  const sets: LeftoverSet[] = [];
  for (const family of families) {
    for (const id of setIds) {
      const wanted = setHeader(id, family);
      const found = byName.get(wanted.name);
      if (found === undefined || isSetLike(found, wanted)) continue;
      const isSameType = found.header.type === wanted.type;
      const entries = isSameType ? await entriesOf(wanted.name, ipsets) : [];
      sets.push({ family, wanted, found, entries });
    }
  }
  return { sets, hasTemporary: byName.has(temporarySet) };
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
