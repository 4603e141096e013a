import { type Family, families } from '../ip/address.ts';
import type { Logger } from '../log/log.ts';
import { restoreError } from './errors.ts';
import type { Ruleset, Table } from './firewall.ts';
import {
  baseName,
  findIptables,
  type Iptables,
  type Machine,
  probeVersion,
  processTimeout,
  type Version,
} from './iptables.ts';
import { opaqueTables, readOpaqueTable } from './opaque-table.ts';
import type { ProcessResult } from './process.ts';
import { parseSaved, type Saved } from './saved.ts';

/** Options of reading rules. */
export interface ReaderOptions {
  /**
   * Reads the generation number of nf_tables' rules in this namespace, which changes with each change; `undefined` if it is
   * unknown. Without it every check runs an `iptables-save`.
   */
  readonly generation: () => number | undefined;
  readonly machine: Machine;
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Logs each table that iptables cannot print, once. */
  readonly log?: Pick<Logger, 'error'>;
}

/** The programs of one family. */
interface Programs {
  readonly iptables: Iptables;
  readonly version: Version;
  /** The names of the programs for single rules, for all rules, and for writing. */
  readonly single: string;
  readonly save: string;
  readonly restore: string;
}

/** The output of a program and its generation; `undefined` if that changed meanwhile. */
interface Reading {
  readonly result: ProcessResult;
  readonly generation: number | undefined;
}

/** Rules and their generation. */
export interface RulesRead {
  /** Of an opaque table only the chains and jumps of a ruleset. */
  readonly saved: Saved;
  /** Tables that iptables cannot print. */
  readonly opaque: readonly string[];
  readonly generation: number | undefined;
}

/** Finds this node's iptables, and reads its rules. */
export class RuleReader {
  readonly #options: ReaderOptions;
  readonly #programs = new Map<Family, Programs>();
  #search: Promise<Iptables> | undefined;
  /** The output that the search for iptables has read, by program. */
  readonly #found = new Map<string, Reading>();
  /** The tables that were logged as opaque and still are. */
  readonly #reported = new Set<string>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** The programs of a family. A failed search is repeated; a result is kept, as a node does not change its flavour while it runs. */
  async programs(family: Family): Promise<Programs> {
    const known = this.#programs.get(family);
    if (known !== undefined) return known;
    const [other] = this.#programs.values();
    const iptables = other?.iptables ?? (await this.#searchOnce());
    const { infix } = iptables;
    const { machine, pause } = this.#options;
    const version = await probeVersion(machine, { family, infix, pause });
    const single = `${baseName(family)}${infix}`;
    const found = {
      iptables,
      version,
      single,
      save: `${single}-save`,
      restore: `${single}-restore`,
    };
    this.#programs.set(family, found);
    return found;
  }

  /** Whether nothing in the kernel has changed since a generation. */
  async isUnchanged(
    family: Family,
    { generation }: { generation: number | undefined },
  ): Promise<boolean> {
    const { iptables } = await this.programs(family);
    if (iptables.flavour !== 'nft' || generation === undefined) return false;
    return this.#options.generation() === generation;
  }

  /** Reads all rules; of a table that iptables cannot print, those that the ruleset has. */
  async read(family: Family, ruleset: Ruleset): Promise<RulesRead> {
    const { save } = await this.programs(family);
    const before = this.#options.generation();
    const { result, generation } = (await this.#takeFound(family)) ?? (await this.#run(save, []));
    if (result.status !== 0)
      throw restoreError(`read ${family} rules`, { text: '', lines: [] }, result);
    const tables = new Set(ruleset.chains.map(({ table }) => table));
    const opaque = opaqueTables(result.stdout).filter((table) => tables.has(table as Table));
    this.#report(family, opaque);
    const saved = await parseSaved(result.stdout);
    if (opaque.length === 0) return { saved, opaque, generation };
    const all = new Map(saved);
    for (const table of opaque) all.set(table, await this.#readOpaque(table, { family, ruleset }));
    const after = this.#options.generation();
    return { saved: all, opaque, generation: before === after ? after : undefined };
  }

  async #readOpaque(table: string, { family, ruleset }: { family: Family; ruleset: Ruleset }) {
    const { single } = await this.programs(family);
    const { machine } = this.#options;
    const run = (words: readonly string[]) =>
      machine.run(single, ['-t', table, ...words], { timeout: processTimeout });
    return await readOpaqueTable(table, { family, ruleset, run });
  }

  #report(family: Family, opaque: readonly string[]): void {
    for (const table of ['nat', 'filter']) {
      const name = `${family} ${table}`;
      const isNew = opaque.includes(table) && !this.#reported.has(name);
      if (!opaque.includes(table)) this.#reported.delete(name);
      if (!isNew) continue;
      this.#reported.add(name);
      const advice =
        'somebody put rules into it that only nft can print: let them move to a table of their own (nft add table)';
      this.#options.log?.error('iptables cannot print a table', undefined, {
        family,
        table,
        advice,
      });
    }
  }

  /** Returns once what the search for iptables has read, if nothing has changed since. */
  async #takeFound(family: Family): Promise<Reading | undefined> {
    const { save } = await this.programs(family);
    const found = this.#found.get(save);
    this.#found.delete(save);
    return found !== undefined && (await this.isUnchanged(family, found)) ? found : undefined;
  }

  /** Runs a program that only reads. */
  async #run(command: string, parameters: readonly string[]): Promise<Reading> {
    const { machine, generation } = this.#options;
    const before = generation();
    const result = await machine.run(command, parameters, { timeout: processTimeout });
    const after = generation();
    return { result, generation: before === after ? after : undefined };
  }

  /** Families that need it at the same time share one search. */
  #searchOnce(): Promise<Iptables> {
    this.#search ??= this.#findIptables().finally(() => {
      this.#search = undefined;
    });
    return this.#search;
  }

  async #findIptables(): Promise<Iptables> {
    const { machine, pause } = this.#options;
    const readings = new Map<string, Reading>();
    const run: Machine['run'] = async (command, parameters) => {
      const reading = await this.#run(command, parameters);
      readings.set(command, reading);
      return reading.result;
    };
    const iptables = await findIptables({ ...machine, run }, { pause });
    for (const family of families) {
      const save = `${baseName(family)}${iptables.infix}-save`;
      const reading = readings.get(save);
      if (reading?.result.status === 0) this.#found.set(save, reading);
    }
    return iptables;
  }
}
