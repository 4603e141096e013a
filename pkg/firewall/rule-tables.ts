import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { families } from '../ip/address.ts';
import { isTransient, restoreError } from './errors.ts';
import {
  isLockHeld,
  type PrintedRules,
  type RulePlace,
  type RuleRemoval,
  type RuleTables,
} from './firewall.ts';
import {
  baseName,
  type Flavour,
  isAtLeast,
  lacksFlavour,
  type Machine,
  probeVersion,
} from './iptables.ts';
import { thisMachine } from './machine.ts';
import type { RestoreInput } from './render.ts';

/** How this machine's iptables is reached. */
export interface ProgramTablesOptions {
  readonly machine?: Machine;
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/** How long one program may run, in milliseconds: a large cluster in iptables mode has some 100,000 rules. */
const programTimeout = 300_000;

/** How many times a removal is tried while another program holds the lock or is faster, and the pause between, in milliseconds. */
const attempts = 60;
const attemptPause = 500;

const flavours: readonly Flavour[] = ['nft', 'legacy'];

/** The tables of both flavours, through iptables' programs. */
export class ProgramTables implements RuleTables {
  readonly #machine: Machine;
  readonly #pause: (milliseconds: number) => Promise<void>;

  constructor({ machine = thisMachine, pause = sleep }: ProgramTablesOptions = {}) {
    this.#machine = machine;
    this.#pause = pause;
  }

  async read(): Promise<readonly PrintedRules[]> {
    const found: PrintedRules[] = [];
    for (const family of families) {
      for (const flavour of flavours) {
        const text = await this.#readPlace({ family, flavour });
        if (text !== undefined) found.push({ family, flavour, text });
      }
    }
    return found;
  }

  async remove(place: RulePlace, removals: readonly RuleRemoval[]): Promise<void> {
    const program = await this.#program(place);
    const operation = `remove ${place.family} rules of ${place.flavour}`;
    const input = await removalInput(removals);
    if (input.text === '' || program === undefined) return;
    const wait = isAtLeast(program.version, [1, 6, 2]) ? ['-w', '1'] : [];
    for (let attempt = 1; ; attempt++) {
      const result = await this.#machine.run(`${program.name}-restore`, ['--noflush', ...wait], {
        input: input.text,
        timeout: programTimeout,
      });
      if (result.status === 0) return;
      const error = restoreError(operation, input, result);
      if (attempt >= attempts || !(isLockHeld(error) || isTransient(result))) throw error;
      await this.#pause(attemptPause);
    }
  }

  /** The content of a place; `undefined` if it was never used, or if the machine has no program for it. */
  async #readPlace(place: RulePlace): Promise<string | undefined> {
    const { family, flavour } = place;
    if (flavour === 'legacy' && (await this.#machine.legacyTables(family)).length === 0)
      return undefined;
    const program = await this.#program(place);
    if (program === undefined) return undefined;
    const result = await this.#machine.run(`${program.name}-save`, [], { timeout: programTimeout });
    if (result.status === 0) return result.stdout;
    if (lacksFlavour(result.stderr)) return undefined;
    throw restoreError(`read ${family} rules of ${flavour}`, { text: '', lines: [] }, result);
  }

  /** The first part of the programs' names of a flavour: `iptables-nft`, or `iptables` if that is of the flavour. */
  async #program({ family, flavour }: RulePlace) {
    const machine = this.#machine;
    const base = baseName(family);
    const infix = (await machine.hasProgram(`${base}-${flavour}-restore`)) ? `-${flavour}` : '';
    if (infix === '' && !(await machine.hasProgram(`${base}-restore`))) return undefined;
    const version = await probeVersion(machine, { family, infix, pause: this.#pause });
    const isNft = version.line.includes('nf_tables');
    if (infix === '' && isNft !== (flavour === 'nft')) return undefined;
    return { name: `${base}${infix}`, version };
  }
}

/** How many lines are made between two turns of the event loop. */
const pieceLines = 5000;

/**
 * The input of `iptables-restore --noflush`. Leaves out tables without removals, as naming one would create it. Chains may be many
 * thousand, so other work runs in between.
 */
async function removalInput(removals: readonly RuleRemoval[]): Promise<RestoreInput> {
  const pieces: string[] = [];
  let piece: string[] = [];
  for (const line of removalLines(removals)) {
    piece.push(line);
    if (piece.length < pieceLines) continue;
    pieces.push(joined(piece));
    piece = [];
    await turn();
  }
  const text = [...pieces, joined(piece)].join('');
  return {
    text,
    get lines() {
      return text.split('\n').slice(0, -1);
    },
  };
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function* removalLines(removals: readonly RuleRemoval[]): Generator<string> {
  for (const { table, rules, emptied, deleted } of removals) {
    if (rules.length + emptied.length + deleted.length === 0) continue;
    yield `*${table}`;
    for (const chain of emptied) yield `:${chain} - [0:0]`;
    for (const rule of rules) yield `-D${rule.slice(2)}`;
    for (const chain of deleted) yield `-X ${chain}`;
    yield 'COMMIT';
  }
}
