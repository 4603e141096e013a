import type { Prefix } from '../../ip/prefix.ts';
import type { RejectedLoadBalancer } from './chain-options.ts';
import { type SetId, setIds } from './sets.ts';

/** The part of the rules of a family that depends on Services. Immutable. */
export interface RuleContent {
  /** The sets that have entries. */
  readonly nonEmpty: ReadonlySet<SetId>;
  /** Load-balancer addresses and ports that are closed to the node itself, by virtual server key. */
  readonly closedToNode: ReadonlyMap<string, RejectedLoadBalancer>;
  /** Ranges of VIPs in which nothing but Services is to be reached, by their text. */
  readonly closedRanges: ReadonlyMap<string, Prefix>;
  /** The nat table is left as it is, to iptables mode of another kube-proxy, whose rules serve there. */
  readonly leavesNat: boolean;
}

/** The rules of a family without Services. */
export const noRuleContent: RuleContent = {
  nonEmpty: new Set(),
  closedToNode: new Map(),
  closedRanges: new Map(),
  leavesNat: false,
};

/** Whether two contents make the same rules. */
export function isSameContent(one: RuleContent, other: RuleContent): boolean {
  return (
    one === other ||
    (one.leavesNat === other.leavesNat &&
      haveSameKeys(one.nonEmpty, other.nonEmpty) &&
      haveSameKeys(one.closedToNode, other.closedToNode) &&
      haveSameKeys(one.closedRanges, other.closedRanges))
  );
}

/** The content whose rules include the rules of two others: the first one itself, if the other has nothing more. */
export function bothContents(one: RuleContent, other: RuleContent): RuleContent {
  if (other === noRuleContent) return one;
  const both = {
    nonEmpty: new Set(setIds.filter((id) => one.nonEmpty.has(id) || other.nonEmpty.has(id))),
    closedToNode: new Map([...one.closedToNode, ...other.closedToNode]),
    closedRanges: new Map([...one.closedRanges, ...other.closedRanges]),
    leavesNat: one.leavesNat && other.leavesNat,
  };
  return isSameContent(both, one) ? one : both;
}

type Keyed = Pick<ReadonlyMap<unknown, unknown>, 'size' | 'has' | 'keys'>;

/** A key of a virtual server says all that its rule does. */
function haveSameKeys(one: Keyed, other: Keyed): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  for (const key of one.keys()) if (!other.has(key)) return false;
  return true;
}
