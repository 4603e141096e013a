import type { Policy } from './real-servers.ts';
import type { EndpointChoice, Selector } from './topology.ts';

const policies: readonly Policy[] = ['cluster', 'localOnly', 'localFirst'];

/** The endpoints that a policy selects, and those that it selects if vanished ones are counted in. */
export interface Selection {
  readonly now: Selector;
  readonly before: Selector;
}

/** The selections by policy. */
export type Selections = Readonly<Record<Policy, Selection>>;

/** The selection of each policy, from the counts of present endpoints and those with the vanished ones. */
export function selectionsOf({
  now,
  before,
}: {
  now: EndpointChoice;
  before: EndpointChoice;
}): Selections {
  if (now === before && now.cluster === 'ready' && now.local === undefined) return usual;
  // A local endpoint that vanished a moment ago keeps serving, as it may be moving to another slice.
  const hasLocal = [now.local, before.local].some((one) => one !== undefined && one !== 'none');
  const selection = (select: (choice: EndpointChoice) => Selector | undefined): Selection => ({
    now: select(now) ?? 'none',
    before: select(before) ?? 'none',
  });
  return {
    cluster: selection(({ cluster }) => cluster),
    localOnly: selection(({ local }) => local),
    localFirst: selection(({ local, cluster }) => (hasLocal ? local : cluster)),
  };
}

const noPolicies: ReadonlySet<never> = new Set();

/** The policies whose rule of selection has changed. */
export function policiesThatDiffer(last: Selections, next: Selections): ReadonlySet<Policy> {
  if (last === next) return noPolicies;
  const changed = policies.filter((policy) => differ(last[policy], next[policy]));
  return changed.length === 0 ? noPolicies : new Set(changed);
}

function differ(one: Selection, other: Selection): boolean {
  return one.now !== other.now || one.before !== other.before;
}

/** The usual case: one value for all policies. */
const usual: Selections = {
  cluster: { now: 'ready', before: 'ready' },
  localOnly: { now: 'none', before: 'none' },
  localFirst: { now: 'ready', before: 'ready' },
};
