import { type Entry, setTypeName } from '../../ipset/ipset.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import { type LeftoverSet, temporarySet } from '../observed/leftover-sets.ts';
import type { Operation } from './operation.ts';

/** A leftover set, and what decides how it is replaced. */
export interface SetToReplace {
  readonly leftover: LeftoverSet;
  /** What the set is wanted to hold. */
  readonly wantedEntries: Iterable<Entry>;
  /** The most rules and sets that referred to it since those of others were found to hold it; `undefined` if none were. */
  readonly mostReferences: number | undefined;
}

/** How some leftover sets are replaced. */
export interface SetReplacement {
  /** If one of these fails, no set is replaced. */
  readonly before: readonly Operation[];
  /** For each set a sequence of operations, each of which needs those before it; made while they are looked at, which is possible once. */
  readonly sets: readonly {
    readonly leftover: LeftoverSet;
    readonly operations: Iterable<Operation>;
  }[];
  /** Carried out whatever became of those before. */
  readonly after: readonly Operation[];
}

/** Deletes what a crash in the middle of a replacement left. */
export const sweeping: readonly Operation[] = [{ kind: 'destroySet', set: temporarySet }];

/**
 * Whether the kernel may swap a leftover set for one as it must be: both have the same family, and entries of the same parts.
 * For a type that is not known here the parts alone are compared; the kernel says if it is of another family.
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
 * Fills a new set and swaps it in, so that rules see the old one or the new one. The new one holds what is wanted, and what was in the
 * old one and may still be wanted: entries go when their time comes.
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

/**
 * Destroys sets of one family and makes them anew. While our rules refer to one of them, they are taken out first and written again
 * afterwards.
 */
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

/** A set that others held is tried again when fewer refer to it than ever since: our own rules go out for each attempt. */
function isWorthTrying({ leftover, mostReferences }: SetToReplace): boolean {
  const { references } = leftover.found;
  return mostReferences === undefined || references === 0 || references < mostReferences;
}

/** An entry that does not fit is missing afterwards, and is planned as any entry that is missing. */
function* filling(set: string, entries: Iterable<Entry>): Iterable<Operation> {
  for (const entry of entries) yield { kind: 'addEntry', set, entry };
}
