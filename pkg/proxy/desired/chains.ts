import type { Chain, Jump, Ruleset, Table } from '../../firewall/firewall.ts';
import type { Family } from '../../ip/address.ts';
import type { ChainOptions } from './chain-options.ts';
import { filterRules } from './filter-rules.ts';
import { natRules } from './nat-rules.ts';
import { type ChainName, filterChains, natChains, type Placed } from './rule-vocabulary.ts';

/** All chains, rules and jumps of one family. */
export function rules(family: Family, options: ChainOptions): Ruleset {
  const context = { family, ...options };
  return {
    chains: [
      ...chainsOf('nat', natChains, natRules(context)),
      ...chainsOf('filter', filterChains, filterRules(context)),
    ],
    jumps,
  };
}

const portals = 'kubernetes service portals';
const accessFilter = 'kubernetes ipvs access filter';
const proxyFirewall = 'kube-proxy firewall rules';

/** The rules of built-in chains that lead into ours, in the order in which they are inserted; the same for both families. */
export const jumps: readonly Jump[] = [
  jump('nat', ['OUTPUT', 'KUBE-SERVICES'], portals),
  jump('nat', ['PREROUTING', 'KUBE-SERVICES'], portals),
  jump('nat', ['POSTROUTING', 'KUBE-POSTROUTING'], 'kubernetes postrouting rules'),
  jump('filter', ['FORWARD', 'KUBE-FORWARD'], 'kubernetes forwarding rules'),
  jump('filter', ['INPUT', 'KUBE-NODE-PORT'], 'kubernetes health check rules'),
  jump('filter', ['INPUT', 'KUBE-PROXY-FIREWALL'], proxyFirewall),
  jump('filter', ['FORWARD', 'KUBE-PROXY-FIREWALL'], proxyFirewall),
  jump('filter', ['INPUT', 'KUBE-IPVS-FILTER'], accessFilter),
  jump('filter', ['OUTPUT', 'KUBE-IPVS-OUT-FILTER'], accessFilter),
];

function jump(table: Table, [from, to]: readonly [Jump['from'], ChainName], comment: string): Jump {
  return { table, from, comment, to };
}

function chainsOf(
  table: Table,
  names: readonly ChainName[],
  placed: readonly Placed[],
): readonly Chain[] {
  return names.map((name) => ({
    table,
    name,
    rules: placed
      .filter(({ chain }) => chain === name)
      .map(({ matches, target }) => ({ matches, target })),
  }));
}
