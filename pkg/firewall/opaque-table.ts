import type { Family } from '../ip/address.ts';
import { restoreError } from './errors.ts';
import type { Ruleset } from './firewall.ts';
import type { ProcessResult } from './process.ts';
import { jumpWords } from './render.ts';
import { type SavedTable, savedJump } from './saved.ts';

/**
 * The tables that `iptables-nft-save` left out with status 0, because another program put rules into them that iptables cannot
 * print. Single chains and rules of ours can still be read and written.
 */
export function opaqueTables(saved: string): readonly string[] {
  const lines = saved.matchAll(/^# Table `([^']+)' is incompatible/gm);
  return [...lines].flatMap(([, table]) => table ?? []);
}

/** What is read of an opaque table. */
export interface OpaqueTableOptions {
  readonly family: Family;
  readonly ruleset: Ruleset;
  /** Runs iptables on the table. */
  readonly run: (words: readonly string[]) => Promise<ProcessResult>;
}

/** Reads our chains with their rules, and our jumps. A jump is returned at most once, however often it is there. */
export async function readOpaqueTable(
  table: string,
  { family, ruleset, run }: OpaqueTableOptions,
): Promise<SavedTable> {
  const chains = new Map<string, readonly string[]>();
  for (const { name } of ruleset.chains.filter((chain) => chain.table === table)) {
    const result = await run(['-S', name]);
    // Status 1: the chain is missing, or contains such a rule itself. It is written again in both cases.
    if (result.status > 1) throw unreadable(result);
    if (result.status === 1) continue;
    chains.set(
      name,
      result.stdout.split('\n').filter((line) => line.startsWith('-A ')),
    );
  }
  for (const jump of ruleset.jumps.filter((some) => some.table === table)) {
    const result = await run(['-C', ...jumpWords(jump)]);
    if (result.status === 0)
      chains.set(jump.from, [...(chains.get(jump.from) ?? []), savedJump(jump, family)]);
    else if (result.status > 1 && !/does not exist/.test(result.stderr)) throw unreadable(result);
  }
  return chains;

  function unreadable(result: ProcessResult): Error {
    return restoreError(`read ${family} rules of ${table}`, { text: '', lines: [] }, result);
  }
}
