import { setTimeout as sleep } from 'node:timers/promises';
import { type Family, families } from '../ip/address.ts';
import { isTransient, restoreError } from './errors.ts';
import type { Firewall, FirewallCapabilities, Jump, Ruleset } from './firewall.ts';
import {
  baseName,
  findIptables,
  type Iptables,
  isAtLeast,
  type Machine,
  probeVersion,
  processTimeout,
  type Version,
} from './iptables.ts';
import { thisMachine } from './machine.ts';
import type { ProcessResult } from './process.ts';
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

/** What a program printed, and the generation that it is of: `undefined` if that moved meanwhile. */
interface Reading {
  readonly result: ProcessResult;
  readonly generation: number | undefined;
}

/** Our own last write of a family. */
interface Held {
  readonly ruleset: Ruleset;
  /** As text, so that another ruleset is told from it. */
  readonly input: string;
  /** What stood in the kernel right after it; `undefined` until it is read back. */
  readonly standing: Standing | undefined;
}

interface Standing {
  /** Our part of what iptables-save printed. */
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
  #search: Promise<Iptables> | undefined;
  /** What the search for iptables read, by program. */
  readonly #found = new Map<string, Reading>();
  /** The iptables-restore of each family that runs now. */
  readonly #restoring = new Map<Family, Promise<unknown>>();
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
    const held = { ruleset, input: restoreInput(ruleset, []).text, standing: undefined };
    this.#held.set(family, held);
    // The caller need not wait for that. If it fails, the next check says that nothing is known.
    this.#afterOthers(family, async () => {
      if (this.#held.get(family) === held) await this.#readBack(family, held);
    }).catch(() => undefined);
  }

  async #check(family: Family, ruleset: Ruleset): Promise<'same' | 'different' | 'unknown'> {
    const held = this.#held.get(family);
    if (held === undefined) return 'unknown';
    const standing = held.standing ?? (await this.#readBack(family, held));
    const { text } = restoreInput(ruleset, []);
    if (!standing.isComplete || held.input !== text) return 'different';
    if (await this.#isUnchanged(family, standing)) return 'same';
    const { saved, generation } = await this.#save(family);
    if (ourPart(saved, { family, ruleset }).text !== standing.ours) return 'different';
    this.#held.set(family, { ...held, standing: { ...standing, generation } });
    return 'same';
  }

  /** Notes what stands in the kernel after our own write; if that cannot be read, nothing is known any more. */
  async #readBack(family: Family, { ruleset, input }: Held): Promise<Standing> {
    this.#held.delete(family);
    // Another family's write that is under way would move the generation meanwhile.
    await Promise.allSettled(this.#restoring.values());
    const { saved, generation } = await this.#save(family);
    const { text, isComplete } = ourPart(saved, { family, ruleset });
    const standing = { ours: text, isComplete, generation };
    this.#held.set(family, { ruleset, input, standing });
    return standing;
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
  async #isUnchanged(
    family: Family,
    { generation }: { generation: number | undefined },
  ): Promise<boolean> {
    const { iptables } = await this.#find(family);
    if (iptables.flavour !== 'nft' || generation === undefined) return false;
    return this.#generation() === generation;
  }

  async #missingJumps(family: Family, { jumps }: Ruleset): Promise<readonly Jump[]> {
    const standing = this.#held.get(family)?.standing;
    if (standing?.isComplete && (await this.#isUnchanged(family, standing))) return [];
    const { saved } = await this.#save(family);
    return jumps.filter((jump) => {
      const rules = saved.get(jump.table)?.rules;
      return !rules?.includes(savedJump(jump, family));
    });
  }

  /** All rules, and the generation that they are of. */
  async #save(family: Family): Promise<{ saved: Saved; generation: number | undefined }> {
    const { save } = await this.#find(family);
    const { result, generation } = (await this.#takeFound(family)) ?? (await this.#read(save, []));
    if (result.status !== 0) {
      throw restoreError(`read ${family} rules`, { text: '', lines: [] }, result);
    }
    return { saved: parseSaved(result.stdout), generation };
  }

  /** What the search for iptables read, once, if nothing has changed since. */
  async #takeFound(family: Family): Promise<Reading | undefined> {
    const { save } = await this.#find(family);
    const found = this.#found.get(save);
    this.#found.delete(save);
    return found !== undefined && (await this.#isUnchanged(family, found)) ? found : undefined;
  }

  /** Runs a program that changes nothing. */
  async #read(command: string, parameters: readonly string[]): Promise<Reading> {
    const before = this.#generation();
    const result = await this.#machine.run(command, parameters, { timeout: processTimeout });
    const after = this.#generation();
    return { result, generation: before === after ? after : undefined };
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
      const running = this.#machine.run(restore, ['--noflush', ...wait], options);
      this.#restoring.set(family, running);
      const result = await running.finally(() => this.#restoring.delete(family));
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
    const [other] = this.#programs.values();
    const iptables = other?.iptables ?? (await this.#searchOnce());
    const version = await probeVersion(this.#machine, { family, infix: iptables.infix });
    const base = `${baseName(family)}${iptables.infix}`;
    const found = { iptables, version, save: `${base}-save`, restore: `${base}-restore` };
    this.#programs.set(family, found);
    return found;
  }

  /** Families that ask at once share one search. */
  #searchOnce(): Promise<Iptables> {
    this.#search ??= this.#findIptables().finally(() => {
      this.#search = undefined;
    });
    return this.#search;
  }

  async #findIptables(): Promise<Iptables> {
    const readings: [string, Reading][] = [];
    const iptables = await findIptables({
      ...this.#machine,
      run: async (command, parameters) => {
        const reading = await this.#read(command, parameters);
        readings.push([command, reading]);
        return reading.result;
      },
    });
    for (const family of families) {
      const save = `${baseName(family)}${iptables.infix}-save`;
      const reading = readings.find(([command]) => command === save)?.[1];
      if (reading?.result.status === 0) this.#found.set(save, reading);
    }
    return iptables;
  }
}

/** How this iptables-restore is told to wait for the lock. Before 1.6.2 it takes none; from 1.8.8 on it is woken, and polls no more. */
function lockWords(version: Version): readonly string[] {
  if (!isAtLeast(version, [1, 6, 2])) return [];
  const seconds = ['-w', String(lockWait)];
  return isAtLeast(version, [1, 8, 8]) ? seconds : [...seconds, '-W', '100000'];
}
