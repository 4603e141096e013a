import { entryKey } from '../../ipset/ipset.ts';
import type { FrontEnd } from '../desired/footprint.ts';
import { isDenying, setHeader, setIds, setName } from '../desired/sets.ts';
import type { PlanInput } from './input.ts';
import type { Phases } from './phases.ts';

/** The device and the sets: all of them, always, as some rules refer to sets that are empty. */
export function planShared({ held, families }: PlanInput, phases: Phases): void {
  if (!held.hasDevice) phases.add('create', { kind: 'makeDevice' });
  for (const family of families) {
    for (const id of setIds) {
      if (!held.sets.has(setName(id, family)))
        phases.add('create', { kind: 'createSet', header: setHeader(id, family) });
    }
  }
}

const denyingSets: ReadonlySet<string> = new Set(
  setIds.filter(isDenying).flatMap((id) => [setName(id, 'IPv4'), setName(id, 'IPv6')]),
);

/** Set entries: those that allow before those that deny, and away in reverse. */
export function planEntries(input: PlanInput, phases: Phases): void {
  const { keys, wanted, held } = input;
  for (const [set, entries] of keys.entries) {
    for (const [key, entry] of entries) {
      const isWanted = wanted.wantsEntry(set, key);
      if (isWanted === held.hasEntry(set, key)) continue;
      const [adding, deleting] = denyingSets.has(set)
        ? (['deny', 'withdrawDeny'] as const)
        : (['allow', 'withdrawAllow'] as const);
      if (isWanted) phases.add(adding, { kind: 'addEntry', set, entry });
      else phases.add(deleting, { kind: 'deleteEntry', set, entry });
    }
  }
}

/**
 * Plans the entries that a new virtual server lacks and that are not among the keys. True if an entry that the kernel holds tells it as
 * ours: one that stands without could not be told from somebody else's after a restart.
 */
export function planMarks(
  { entries }: FrontEnd,
  { input: { keys, held }, phases }: { input: PlanInput; phases: Phases },
): boolean {
  let isMarked = false;
  for (const { set: id, family, entry } of entries) {
    const [set, key] = [setName(id, family), entryKey(entry)];
    if (held.hasEntry(set, key) === true) isMarked = true;
    else if (keys.entries.get(set)?.has(key) !== true)
      phases.add(denyingSets.has(set) ? 'deny' : 'allow', { kind: 'addEntry', set, entry });
  }
  return isMarked;
}
