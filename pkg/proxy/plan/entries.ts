import { families } from '../../ip/address.ts';
import { type EntryEffect, entryEffect, setHeader, setIds, setName } from '../desired/sets.ts';
import type { PlanInput, PlannedMark, PlannedServer } from './input.ts';
import type { Phases } from './phases.ts';

/** The device and the sets: all of them, always, as some rules refer to sets that are empty. */
export function planShared({ hasDevice, missingSets }: PlanInput, phases: Phases): void {
  if (!hasDevice) phases.add('create', { kind: 'makeDevice' });
  for (const { set, family } of missingSets)
    phases.add('create', { kind: 'createSet', header: setHeader(set, family) });
}

/** By the set's name in the kernel. */
const effects: ReadonlyMap<string, EntryEffect> = new Map(
  setIds.flatMap((id) =>
    families.map((family): [string, EntryEffect] => [setName(id, family), entryEffect(id)]),
  ),
);

/** The phases in which entries come and go. */
const entryPhases = {
  allow: ['allow', 'withdrawAllow'],
  exempt: ['allow', 'withdrawExempt'],
  deny: ['deny', 'withdrawDeny'],
} as const;

/** The effect of entries of a set, given by its name in the kernel. */
export function effectOf(set: string): EntryEffect {
  return effects.get(set) ?? 'allow';
}

/** Set entries: those that allow, or exempt from a denial, before those that deny; away in reverse. */
export function planEntries({ entries }: PlanInput, phases: Phases): void {
  for (const { set, entry, isWanted, isHeld } of entries) {
    if (isWanted === isHeld) continue;
    const [adding, deleting] = entryPhases[effectOf(set)];
    if (isWanted) phases.add(adding, { kind: 'addEntry', set, entry });
    else phases.add(deleting, { kind: 'deleteEntry', set, entry });
  }
}

/**
 * Plans the entries that a new virtual server lacks and that are not planned anyway. True if an entry that the kernel holds tells it
 * as ours: one that stands without could not be told from somebody else's after a restart.
 */
export function planMarks({ marks }: PlannedServer, phases: Phases): boolean {
  for (const mark of marks) planMark(mark, phases);
  return marks.some(({ isHeld }) => isHeld === true);
}

/** Plans the entry that keeps strangers away, if it lacks and is not planned anyway. True if none is needed, or the kernel holds it. */
export function planDenial({ denial }: PlannedServer, phases: Phases): boolean {
  if (denial === undefined) return true;
  planMark(denial, phases);
  return denial.isHeld === true;
}

function planMark(
  { set: id, family, entry, isHeld, isPlanned }: PlannedMark,
  phases: Phases,
): void {
  if (isHeld === true || isPlanned) return;
  const set = setName(id, family);
  phases.add(entryPhases[entryEffect(id)][0], { kind: 'addEntry', set, entry });
}
