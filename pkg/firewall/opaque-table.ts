import type { Family } from '../ip/address.ts';
import { restoreError } from './errors.ts';
import type { Ruleset } from './firewall.ts';
import type { ProcessResult } from './process.ts';
import { jumpWords } from './render.ts';
import { parseSaved, type SavedTable, savedJump } from './saved.ts';

/**
 * Tables of which `iptables-nft-save` printed nothing, with status 0, as somebody put rules into them that iptables has no words
 * for. Single chains and rules of ours can still be asked for and written.
 */
export function opaqueTables(saved: string): readonly string[] {
  const lines = saved.matchAll(/^# Table `([^']+)' is incompatible/gm);
  return [...lines].flatMap(([, table]) => table ?? []);
}

/** What to read of an opaque table, and how. */
export interface OpaqueTableOptions {
  readonly family: Family;
  readonly ruleset: Ruleset;
  /** Runs iptables on the table. */
  readonly run: (words: readonly string[]) => Promise<ProcessResult>;
}

/** Our chains with their rules, and our jumps: each stands once or not at all here, however often it does. */
export async function readOpaqueTable(
  table: string,
  { family, ruleset, run }: OpaqueTableOptions,
): Promise<SavedTable> {
  const chains = new Set<string>();
  const rules: string[] = [];
  for (const { name } of ruleset.chains.filter((chain) => chain.table === table)) {
    const result = await run(['-S', name]);
    // Status 1 is a chain that is missing, or one of ours with a rule of that kind in it: it is written anew like a missing one.
    if (result.status > 1) throw unreadable(result);
    if (result.status === 1) continue;
    chains.add(name);
    rules.push(...(parseSaved(`*${table}\n${result.stdout}`).get(table)?.rules ?? []));
  }
  for (const jump of ruleset.jumps.filter((some) => some.table === table)) {
    const result = await run(['-C', ...jumpWords(jump)]);
    if (result.status === 0) rules.push(savedJump(jump, family));
    else if (result.status > 1 && !/does not exist/.test(result.stderr)) throw unreadable(result);
  }
  return { chains, rules };

  function unreadable(result: ProcessResult): Error {
    return restoreError(`read ${family} rules of ${table}`, { text: '', lines: [] }, result);
  }
}
