import type { Match, Rule, Target } from '../../firewall/firewall.ts';
import type { Family } from '../../ip/address.ts';
import type { ChainOptions, LocalDetector } from './chain-options.ts';
import { type SetId, setComment, setDirections, setName } from './sets.ts';

/** The input for making the rules of one family. */
export type Context = ChainOptions & { readonly family: Family };

/** A rule and the chain it stands in. */
export type Placed = Rule & { readonly chain: string };

/** Our chains of the nat table, in the order in which they are declared. */
export const natChains = [
  'KUBE-SERVICES',
  'KUBE-POSTROUTING',
  'KUBE-NODE-PORT',
  'KUBE-LOAD-BALANCER',
  'KUBE-MARK-MASQ',
] as const;

/** Our chains of the filter table, in the order in which they are declared. */
export const filterChains = [
  'KUBE-FORWARD',
  'KUBE-NODE-PORT',
  'KUBE-PROXY-FIREWALL',
  'KUBE-SOURCE-RANGES-FIREWALL',
  'KUBE-IPVS-FILTER',
  'KUBE-IPVS-OUT-FILTER',
] as const;

type Verdict = 'RETURN' | 'ACCEPT' | 'DROP' | 'REJECT';

/** The name of one of our chains. */
export type ChainName = (typeof natChains)[number] | (typeof filterChains)[number];

/** The building blocks of one family's rules. */
export function vocabulary({ family, nonEmpty }: Context) {
  const comment = (id: SetId): Match => ({ match: 'comment', text: setComment(id) });
  const set = (id: SetId, directions = setDirections(id)): Match => ({
    match: 'set',
    set: setName(id, family),
    directions,
  });
  return {
    comment,
    set,
    commented: (id: SetId): readonly Match[] => [comment(id), set(id)],
    /** Rules that are only written while a set has entries. */
    whenSet: <Id extends SetId>(id: Id, make: (id: Id) => readonly Placed[]) =>
      nonEmpty.has(id) ? make(id) : [],
  };
}

/** Matches packets that come from no pod of this cluster (or this node), as far as the detector can tell. */
export function notLocal(detector: LocalDetector): Match {
  switch (detector.kind) {
    case 'cidr':
      return { match: 'source', network: detector.network, not: true };
    case 'interface':
      return { match: 'inputInterface', name: detector.name, not: true };
  }
}

/** Matches packets that come neither from a pod, as far as the detector can tell, nor from this node. */
export function fromOutside(detector: LocalDetector): readonly Match[] {
  return [notLocal(detector), { match: 'sourceType', type: 'LOCAL', not: true }];
}

/** A rule; its target is a verdict, one of our chains, or spelled out. */
export function rule(
  chain: ChainName,
  matches: readonly Match[],
  target: Target | Verdict | ChainName,
): Placed {
  return { chain, matches, target: typeof target === 'string' ? named(target) : target };
}

function named(name: Verdict | ChainName): Target {
  return isVerdict(name) ? { target: name } : { target: 'jump', chain: name };
}

function isVerdict(name: Verdict | ChainName): name is Verdict {
  return name === 'RETURN' || name === 'ACCEPT' || name === 'DROP' || name === 'REJECT';
}
