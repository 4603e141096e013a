import { entryKey } from '../../ipset/ipset.ts';
import type { FrontEnd } from '../footprint.ts';
import type { Mirror } from '../mirror.ts';
import { isDenying, setHeader, setIds, setName } from '../sets.ts';
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
  for (const server of keys.servers) planEntriesOf(server, { input, phases });
}

/** What a new virtual server needs stands before it, even where its entries are not among the keys. */
function planEntriesOf(
  server: string,
  { input: { keys, wanted, held }, phases }: { input: PlanInput; phases: Phases },
): void {
  if (held.servers.has(server)) return;
  for (const { set: id, family, entry } of wanted.claim(server)?.frontEnd.entries ?? []) {
    const [set, key] = [setName(id, family), entryKey(entry)];
    if (keys.entries.get(set)?.has(key) === true || held.hasEntry(set, key) === true) continue;
    phases.add(denyingSets.has(set) ? 'deny' : 'allow', { kind: 'addEntry', set, entry });
  }
}

/**
 * Whether an entry of our sets tells a virtual server as ours. One that stands without could not be told from somebody else's
 * after a restart.
 */
export function isMarked({ entries }: FrontEnd, held: Mirror): boolean {
  return entries.some(
    ({ set, family, entry }) => held.hasEntry(setName(set, family), entryKey(entry)) === true,
  );
}
