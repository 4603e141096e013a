import { families } from '../../ip/address.ts';
import { type EntryEffect, entryEffect, setHeader, setIds, setName } from '../desired/sets.ts';
import type { PlanInput, PlannedMark, PlannedVirtualServer } from './input.ts';
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

/** Plans set entries. Those that allow, or exempt from a denial, are added before those that deny, and deleted after them. */
export function planEntries({ entries }: PlanInput, phases: Phases): void {
  entries.forEach(({ set, entry, isWanted, isHeld }) => {
    if (isWanted === isHeld) return;
    const [adding, deleting] = entryPhases[effectOf(set)];
    if (isWanted) phases.add(adding, { kind: 'addEntry', set, entry });
    else phases.add(deleting, { kind: 'deleteEntry', set, entry });
  });
}

/**
 * Plans the entries that a new virtual server lacks and that are not planned anyway. True if the kernel holds at least one of its
 * entries. Without one, a restarted program could not tell that the virtual server is ours.
 */
export function planMarks({ marks }: PlannedVirtualServer, phases: Phases): boolean {
  marks.forEach((mark) => planMark(mark, phases));
  return marks.some(({ isHeld }) => isHeld === true);
}

/** Plans the entry that denies clients from outside, if it is missing and not planned anyway. True if none is needed, or it is held. */
export function planDenial({ denial }: PlannedVirtualServer, phases: Phases): boolean {
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
