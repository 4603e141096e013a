import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelError } from '../errno/errno.ts';
import type { Family } from '../ip/address.ts';
import { isTransient, restoreError } from './errors.ts';
import type { Firewall, FirewallCapabilities, Jump, Ruleset } from './firewall.ts';
import {
  baseName,
  findIptables,
  hasProgram,
  type Iptables,
  isAtLeast,
  type Machine,
  probeVersion,
  processTimeout,
  type Version,
} from './iptables.ts';
import { runProcess } from './process.ts';
import { deleteInput, emptyInput, type RestoreInput, restoreInput } from './render.ts';
import { deletableChains, ourPart, parseSaved, type Saved, savedJump } from './saved.ts';

/** This machine's iptables and what it holds of ours. */
export interface RestoreOptions {
  /**
   * The number of nf_tables' rules of this namespace, which changes with each change of any of them; `undefined` if it
   * cannot be told. Without it every check is a whole `iptables-save`.
   */
  readonly generation?: () => number | undefined;
  readonly machine?: Machine;
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/** The programs of one family. */
interface Programs {
  readonly iptables: Iptables;
  readonly version: Version;
  readonly save: string;
  readonly restore: string;
}

/** What stood in the kernel right after our own last write. */
interface Held {
  /** What was written, so that another ruleset is told from it. */
  readonly input: string;
  /** Our part of what iptables-save printed then. */
  readonly ours: string;
  readonly isComplete: boolean;
  readonly generation: number | undefined;
}

/** Milliseconds before each further attempt after another program was faster. */
const pauses: readonly number[] = [100, 400];

/** How long iptables-restore waits for its lock, in seconds: the caller waits as long. Without `-w` it may wait for ever. */
const lockWait = 1;

/** iptables through its own programs: one `iptables-restore` a change, none while the rules stay the same. */
export class RestoreFirewall implements Firewall {
  readonly #machine: Machine;
  readonly #generation: () => number | undefined;
  readonly #pause: (milliseconds: number) => Promise<void>;
  readonly #programs = new Map<Family, Programs>();
  readonly #held = new Map<Family, Held>();
  /** The last call of each family that was begun, over when it is settled. */
  readonly #last = new Map<Family, Promise<unknown>>();

  constructor({ generation, machine, pause }: RestoreOptions = {}) {
    this.#machine = machine ?? thisMachine;
    this.#generation = generation ?? (() => undefined);
    this.#pause = pause ?? sleep;
  }

  async capabilities(family: Family): Promise<FirewallCapabilities> {
    const { version } = await this.#find(family);
    return { randomFully: isAtLeast(version, [1, 6, 2]), description: version.line };
  }

  apply(family: Family, ruleset: Ruleset): Promise<void> {
    return this.#afterOthers(family, () => this.#apply(family, ruleset));
  }

  check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'> {
    return this.#afterOthers(family, () => this.#check(family, ruleset));
  }

  remove(family: Family, ruleset: Ruleset): Promise<void> {
    return this.#afterOthers(family, () => this.#remove(family, ruleset));
  }

  /** Two restores at once would each insert a jump that both found missing. */
  #afterOthers<T>(family: Family, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(family) ?? Promise.resolve()).then(work);
    this.#last.set(
      family,
      turn.catch(() => undefined),
    );
    return turn;
  }

  async #apply(family: Family, ruleset: Ruleset): Promise<void> {
    const missing = await this.#missingJumps(family, ruleset);
    this.#held.delete(family);
    await this.#restore(`apply ${family} rules`, { family, input: restoreInput(ruleset, missing) });
    const { saved, generation } = await this.#save(family);
    const { text, isComplete } = ourPart(saved, { family, ruleset });
    const input = restoreInput(ruleset, []).text;
    this.#held.set(family, { input, ours: text, isComplete, generation });
  }

  async #check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'> {
    const held = this.#held.get(family);
    if (held === undefined) return 'unknown';
    if (!held.isComplete || held.input !== restoreInput(ruleset, []).text) return 'different';
    if (await this.#isUnchanged(family, held)) return 'same';
    const { saved, generation } = await this.#save(family);
    if (ourPart(saved, { family, ruleset }).text !== held.ours) return 'different';
    this.#held.set(family, { ...held, generation });
    return 'same';
  }

  async #remove(family: Family, ruleset: Ruleset): Promise<void> {
    this.#held.delete(family);
    const operation = `remove ${family} rules`;
    const { saved } = await this.#save(family);
    const present = ruleset.chains.filter(({ table, name }) => saved.get(table)?.chains.has(name));
    const jumps = ruleset.jumps.flatMap((jump) =>
      (saved.get(jump.table)?.rules ?? [])
        .filter((rule) => rule === savedJump(jump, family))
        .map(() => jump),
    );
    await this.#restore(operation, { family, input: emptyInput(present, jumps) });
    const deletable = deletableChains(saved, { family, ruleset });
    await this.#restore(operation, { family, input: deleteInput(deletable) });
  }

  /** Nothing at all changed in the kernel since our own write. */
  async #isUnchanged(family: Family, held: Held): Promise<boolean> {
    const { iptables } = await this.#find(family);
    if (iptables.flavour !== 'nft' || held.generation === undefined) return false;
    return this.#generation() === held.generation;
  }

  async #missingJumps(family: Family, { jumps }: Ruleset): Promise<readonly Jump[]> {
    const held = this.#held.get(family);
    if (held?.isComplete && (await this.#isUnchanged(family, held))) return [];
    const { saved } = await this.#save(family);
    return jumps.filter((jump) => {
      const rules = saved.get(jump.table)?.rules;
      return !rules?.includes(savedJump(jump, family));
    });
  }

  /** All rules, and the generation they are of; `undefined` if they changed in the meantime. */
  async #save(family: Family): Promise<{ saved: Saved; generation: number | undefined }> {
    const { save } = await this.#find(family);
    const before = this.#generation();
    const result = await this.#machine.run(save, [], { timeout: processTimeout });
    const after = this.#generation();
    if (result.status !== 0) {
      throw restoreError(`read ${family} rules`, { text: '', lines: [] }, result);
    }
    const generation = before === after ? after : undefined;
    return { saved: parseSaved(result.stdout), generation };
  }

  async #restore(
    operation: string,
    { family, input }: { family: Family; input: RestoreInput },
  ): Promise<void> {
    if (input.text === '') return;
    const { restore, version } = await this.#find(family);
    const wait = lockWords(version);
    for (let attempt = 0; ; attempt++) {
      const options = { input: input.text, timeout: processTimeout };
      const result = await this.#machine.run(restore, ['--noflush', ...wait], options);
      if (result.status === 0) return;
      const pause = pauses[attempt];
      if (pause === undefined || !isTransient(result)) {
        throw restoreError(operation, input, result);
      }
      await this.#pause(pause);
    }
  }

  /** A failed search is tried anew, a successful one kept: a node does not change its flavour while it runs. */
  async #find(family: Family): Promise<Programs> {
    const known = this.#programs.get(family);
    if (known !== undefined) return known;
    const other = [...this.#programs.values()][0];
    const iptables = other?.iptables ?? (await findIptables(this.#machine));
    const version = await probeVersion(this.#machine, { family, infix: iptables.infix });
    const base = `${baseName(family)}${iptables.infix}`;
    const found = { iptables, version, save: `${base}-save`, restore: `${base}-restore` };
    this.#programs.set(family, found);
    return found;
  }
}

/** How this iptables-restore is told to wait for the lock. Before 1.6.2 it takes none; from 1.8.8 on it is woken, and polls no more. */
function lockWords(version: Version): readonly string[] {
  if (!isAtLeast(version, [1, 6, 2])) return [];
  const seconds = ['-w', String(lockWait)];
  return isAtLeast(version, [1, 8, 8]) ? seconds : [...seconds, '-W', '100000'];
}

const thisMachine: Machine = {
  run: runProcess,
  hasProgram,
  async legacyTables(family) {
    const names = family === 'IPv4' ? 'ip_tables_names' : 'ip6_tables_names';
    try {
      const text = await readFile(`/proc/net/${names}`, 'utf8');
      return text.split('\n').filter((name) => name !== '');
    } catch (cause) {
      // Without the module there is no file, and so there are no tables.
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new KernelError(`read /proc/net/${names}`, 'EIO', { cause });
    }
  },
};
