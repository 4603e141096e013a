import { type Entry, setTypeName } from '../../ipset/ipset.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import { type LeftoverSet, temporarySet } from '../observed/leftover-sets.ts';
import type { Operation } from './operation.ts';

/** A leftover set, with what decides how it is replaced. */
export interface SetToReplace {
  readonly leftover: LeftoverSet;
  /** The wanted entries of the set. */
  readonly wantedEntries: Iterable<Entry>;
  /** The most references counted since others were found to refer to the set; `undefined` if none were. */
  readonly mostReferences: number | undefined;
}

/** The operations that replace some leftover sets. */
export interface SetReplacement {
  /** If one of these fails, no set is replaced. */
  readonly before: readonly Operation[];
  /** For each set a sequence of operations, each of which needs those before it. They are made during the iteration, which is possible once. */
  readonly sets: readonly {
    readonly leftover: LeftoverSet;
    readonly operations: Iterable<Operation>;
  }[];
  /** Carried out in any case. */
  readonly after: readonly Operation[];
}

/** Destroys what a crash in the middle of a replacement left. */
export const sweeping: readonly Operation[] = [{ kind: 'destroySet', set: temporarySet }];

/**
 * Whether the kernel may swap a leftover set with a right one: they need the same family and the same parts of an entry. For an
 * unknown type only the parts are compared; the kernel refuses another family.
 */
export function isSwappable({ wanted, found: { header } }: LeftoverSet): boolean {
  if (partsOf(setTypeName(header)) !== partsOf(setTypeName(wanted))) return false;
  if (!('family' in header && 'family' in wanted)) return true;
  return header.family === wanted.family;
}

/** `ip,port` of `hash:ip,port`. */
function partsOf(typeName: string): string {
  return typeName.slice(typeName.indexOf(':') + 1);
}

/**
 * Fills a new set and swaps it in, so that rules see either the old or the new one. The new one gets the wanted entries, and those
 * of the old one that may stay: they are deleted in their order later.
 */
export function planSwap({ leftover, wantedEntries }: SetToReplace): SetReplacement {
  const operations = swapping(leftover, wantedEntries);
  return { before: [], sets: [{ leftover, operations }], after: sweeping };
}

function* swapping(
  { wanted, entries }: LeftoverSet,
  wantedEntries: Iterable<Entry>,
): Iterable<Operation> {
  yield { kind: 'createSet', header: { ...wanted, name: temporarySet } };
  yield* filling(temporarySet, wantedEntries);
  yield* filling(temporarySet, entries);
  yield { kind: 'swapSets', set: wanted.name, other: temporarySet };
}

/** Destroys sets of one family and creates them again. If our rules refer to one of them, they are removed before and written again after. */
export function planRemaking(sets: readonly SetToReplace[], content: RuleContent): SetReplacement {
  const tried = sets.filter(isWorthTrying);
  const families = new Set(
    tried
      .filter(({ leftover }) => leftover.found.references > 0)
      .map(({ leftover }) => leftover.family),
  );
  return {
    before: [...families].map((family) => ({ kind: 'withdrawRules', family })),
    sets: tried.map(({ leftover, wantedEntries }) => ({
      leftover,
      operations: remaking(leftover, wantedEntries),
    })),
    after: [...families].map((family) => ({ kind: 'setRules', family, content })),
  };
}

function* remaking({ wanted }: LeftoverSet, wantedEntries: Iterable<Entry>): Iterable<Operation> {
  yield { kind: 'destroySet', set: wanted.name };
  yield { kind: 'createSet', header: wanted };
  yield* filling(wanted.name, wantedEntries);
}

/** Whether another attempt makes sense: fewer references than ever since. Our own rules are removed for each attempt. */
function isWorthTrying({ leftover, mostReferences }: SetToReplace): boolean {
  const { references } = leftover.found;
  return mostReferences === undefined || references === 0 || references < mostReferences;
}

/** An entry that does not fit is missing afterwards, and is planned like any missing one. */
function* filling(set: string, entries: Iterable<Entry>): Iterable<Operation> {
  for (const entry of entries) yield { kind: 'addEntry', set, entry };
}
