import type { Family } from '../ip/address.ts';
import type { Ruleset } from './firewall.ts';
import { savedChain, savedJump, savedRule } from './saved.ts';

/** One table: the declaration of each chain, and the rules, as `iptables-save` prints them. */
interface Lines {
  readonly chains: Map<string, string>;
  rules: string[];
}

/** The output of `iptables-save` as it is after a ruleset was applied, without comments. */
export function savedAfter(
  text: string,
  { family, ruleset }: { family: Family; ruleset: Ruleset },
): string {
  const tables = linesOf(text);
  for (const name of new Set(ruleset.chains.map(({ table }) => table))) {
    const table = tableOf(tables, name);
    const own = ruleset.chains.filter((chain) => chain.table === name);
    const names = new Set(own.map((chain) => chain.name));
    for (const chain of names) declare(table, chain);
    const others = table.rules.filter((rule) => !names.has(savedChain(rule)));
    const ours = own.flatMap((chain) =>
      chain.rules.map((rule) => savedRule(chain.name, rule, family)),
    );
    table.rules = [...others, ...ours];
  }
  for (const jump of ruleset.jumps) {
    const table = tableOf(tables, jump.table);
    const rule = savedJump(jump, family);
    declare(table, jump.from);
    if (!table.rules.includes(rule)) table.rules.unshift(rule);
  }
  return [...tables]
    .flatMap(([name, { chains, rules }]) => [
      `*${name}`,
      ...chains.values(),
      ...rules,
      'COMMIT',
      '',
    ])
    .join('\n');
}

function linesOf(text: string): Map<string, Lines> {
  const tables = new Map<string, Lines>();
  let table: Lines = { chains: new Map(), rules: [] };
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = tableOf(tables, line.slice(1));
    else if (line.startsWith(':')) table.chains.set(line.slice(1, line.indexOf(' ')), line);
    else if (line.startsWith('-A ')) table.rules.push(line);
  }
  return tables;
}

function tableOf(tables: Map<string, Lines>, name: string): Lines {
  const table = tables.get(name) ?? { chains: new Map<string, string>(), rules: [] };
  tables.set(name, table);
  return table;
}

function declare({ chains }: Lines, name: string): void {
  if (!chains.has(name)) chains.set(name, `:${name} - [0:0]`);
}
