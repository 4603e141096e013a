import type { SavedRule } from '../firewall/saved-rule.ts';
import { type SetId, setName } from '../proxy/desired/sets.ts';
import { isProxyChain } from '../proxy/leftovers/names.ts';
import type { Fate, Place, Step } from '../trace/result.ts';
import { type Cause, destinationOf, type Facts } from './cause.ts';

/** The causes in rules that the packet meets: those that end it, for some or for all real servers. */
export function ruleCauses(facts: Facts): readonly Cause[] {
  const { trace } = facts;
  const { verdict } = trace;
  const ends: readonly { readonly fate: Fate; readonly steps: readonly Step[] }[] =
    verdict.kind === 'balanced'
      ? verdict.balancing.choices
      : verdict.kind === 'dropped' || verdict.kind === 'rejected' || verdict.kind === 'unknown'
        ? [{ fate: verdict.kind, steps: trace.steps }]
        : [];
  const causes = ends.flatMap(({ fate, steps }) => {
    const last = steps.at(-1);
    return fate === 'passed' || last === undefined ? [] : causeOf(last, facts);
  });
  const byText = new Map(causes.map((cause) => [cause.text, cause]));
  return [...byText.values()];
}

function causeOf(step: Step, facts: Facts): readonly Cause[] {
  switch (step.kind) {
    case 'rule':
      return [ofRule(step, facts)];
    case 'policy': {
      const { table, chain } = step.place;
      const text = `no rule lets it through, and the policy of ${chain} (${table}) is DROP`;
      return [{ kind: 'foreign-rule', text, cuts: 'traced' }];
    }
    case 'unknown': {
      const text = `a rule is not understood: ${printPlace(step.place)}: ${step.reason}`;
      return [{ kind: 'not-understood', text, cuts: 'traced' }];
    }
    case 'route':
    case 'ipvs':
      return [];
  }
}

/** `KUBE-FORWARD (filter)`. */
function printPlace({ table, chain }: Place): string {
  return `${chain} (${table})`;
}

function ofRule({ place, rule }: Extract<Step, { kind: 'rule' }>, facts: Facts): Cause {
  const { packet } = facts;
  const destination = destinationOf(packet);
  const where = `${printPlace(place)}: ${rule.text}`;
  const ended = (kind: Cause['kind'], text: string): Cause => ({ kind, text, cuts: 'traced' });
  const { chain, table } = place;
  if (chain === 'KUBE-SOURCE-RANGES-FIREWALL')
    return ended(
      'source-range',
      `the source ranges of the load balancer leave ${packet.source} out (${where})`,
    );
  if (chain === 'KUBE-IPVS-OUT-FILTER')
    return ended(
      'source-range',
      `the source ranges of the load balancer leave this node out (${where})`,
    );
  if (matchesSet(rule, 'noLocal'))
    return ended(
      'no-local-endpoint',
      `externalTrafficPolicy is Local and no endpoint is on this node, which clients outside may then not use (${where})`,
    );
  if (chain === 'KUBE-IPVS-FILTER')
    return ended(
      'port-not-served',
      `${packet.destination} is an address of Services, and no set has ${destination} (${where})`,
    );
  if (isProxyChain(table, chain))
    return ended('proxy-rule', `a rule of kube-proxy ends it (${where})`);
  return ended('foreign-rule', `a rule that is not kube-proxy's ends it (${where})`);
}

function matchesSet({ matches }: SavedRule, id: SetId): boolean {
  const names = [setName(id, 'IPv4'), setName(id, 'IPv6')];
  return matches.some((match) => match.match === 'set' && names.includes(match.set));
}
