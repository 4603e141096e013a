import { familyOf } from '../ip/address.ts';
import { printNftTable } from '../nftables/nftables.ts';
import { jumps } from '../proxy/desired/chains.ts';
import { setName } from '../proxy/desired/sets.ts';
import { nftTableName } from '../proxy/leftovers/names.ts';
import type { Step, Trace } from '../trace/result.ts';
import type { SavedTables } from '../trace/state.ts';
import type { Cause, Facts } from './cause.ts';
import { chainsOf } from './rulesets.ts';

/** The causes in what proxies keep in the packet filter: chains without rules, a second proxy, and what should be there and is not. */
export function proxyCauses(facts: Facts): readonly Cause[] {
  return [...secondProxy(facts), ...differing(facts), ...emptyChains(facts)];
}

/** Chains that only iptables mode makes. */
const servingChain = /^KUBE-(SVC|SVL|EXT|SEP|FW|XLB)-/;

function secondProxy({ packet, state, trace }: Facts): readonly Cause[] {
  const family = familyOf(packet.destination);
  const filters = state.kernel.tables[family];
  const met = stepsOf(trace).some((step) => 'place' in step && servingChain.test(step.place.chain));
  const causes: Cause[] = [];
  const add = (text: string, cuts: Cause['cuts'] = 'none') =>
    causes.push({ kind: 'second-proxy', text, cuts });
  if (met)
    add(
      'a kube-proxy in iptables mode has rules that translate the packet before IPVS sees it',
      'traced',
    );
  else if (filters.some((filter) => hasChain(filter, servingChain)))
    add('a kube-proxy in iptables mode works here too, or has left its chains (KUBE-SVC-…, nat)');
  const table = printNftTable({ family, name: nftTableName });
  if (state.otherTables.includes(table))
    add(
      `a kube-proxy in nftables mode works here too, or has left its table ${table}, which translates before IPVS sees the packet`,
    );
  if (filters.filter((filter) => rulesOf(filter, 'KUBE-SERVICES') > 0).length > 1)
    add(
      'both packet filters of iptables, nft and legacy, have KUBE-SERVICES: two proxies write, or one has left its rules',
    );
  return causes;
}

/** All steps of a trace, those towards each real server included. */
function stepsOf({ steps, verdict }: Trace): readonly Step[] {
  if (verdict.kind !== 'balanced') return steps;
  return [...steps, ...verdict.balancing.choices.flatMap((choice) => choice.steps)];
}

function hasChain(filter: SavedTables, pattern: RegExp): boolean {
  return [...(chainsOf(filter, 'nat')?.keys() ?? [])].some((name) => pattern.test(name));
}

function rulesOf(filter: SavedTables, chain: string): number {
  return chainsOf(filter, 'nat')?.get(chain)?.rules.length ?? 0;
}

/** How many differences are named in a sentence. */
const namedLimit = 3;

/** What is otherwise than it should be, if the packet would fare otherwise with it. */
function differing({ trace, desired }: Facts): readonly Cause[] {
  if (desired === undefined || desired.differences.length === 0) return [];
  if (outcomeOf(trace) === outcomeOf(desired.trace)) return [];
  const named = desired.differences.slice(0, namedLimit).map(({ text }) => text);
  const more = desired.differences.length - named.length;
  const text = `${named.join('; ')}${more > 0 ? `; and ${more} more differences` : ''}`;
  return [{ kind: 'differs', text, cuts: 'direct' }];
}

/** What becomes of a packet, as far as it makes a difference to its client. */
export function outcomeOf({ verdict }: Trace): string {
  if (verdict.kind !== 'balanced') return verdict.kind;
  return verdict.balancing.choices
    .map(({ realServer: { address, port }, fate, masqueradedBy }) =>
      [address, port, fate, masqueradedBy === undefined].join(' '),
    )
    .toSorted()
    .join();
}

/** Chains of the nat table that are never empty while Services have addresses. */
const neverEmpty = ['KUBE-SERVICES', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'];

/** Without knowing what should be there: chains that lost their rules, and jumps that are gone. */
function emptyChains({ packet, state, desired, virtualServer }: Facts): readonly Cause[] {
  if (desired !== undefined || virtualServer === undefined) return [];
  const family = familyOf(packet.destination);
  const set = state.kernel.sets.get(setName('clusterIp', family));
  if (set === undefined || set === 'unreadable' || set.keys.size === 0) return [];
  const filters = state.kernel.tables[family];
  const empty = neverEmpty.filter((chain) =>
    filters.every((filter) => rulesOf(filter, chain) === 0),
  );
  const lost = jumps
    .filter(({ table, to }) => table === 'nat' && neverEmpty.includes(to))
    .filter((jump) => !filters.some((filter) => leadsTo(filter, jump)));
  return [
    ...empty.map((chain) => `${chain} (nat) has no rules`),
    ...lost.map(({ from, to }) => `no rule of ${from} (nat) leads to ${to}`),
  ].map((text) => ({
    kind: 'chain-empty',
    text: `${text}, so that nothing is masqueraded by it`,
    cuts: 'direct',
  }));
}

/** Whether a rule of the chain leads where the jump does. */
function leadsTo(filter: SavedTables, { table, from, to }: (typeof jumps)[number]): boolean {
  const rules = chainsOf(filter, table)?.get(from)?.rules ?? [];
  return rules.some(
    ({ target }) => (target.target === 'jump' || target.target === 'goto') && target.chain === to,
  );
}
