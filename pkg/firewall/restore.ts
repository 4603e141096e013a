import { setTimeout as sleep } from 'node:timers/promises';
import { isBusy, KernelError } from '../errno/errno.ts';
import type { Family } from '../ip/address.ts';
import { isTransient, restoreError } from './errors.ts';
import type { Firewall, FirewallCapabilities, Jump, Ruleset } from './firewall.ts';
import { isAtLeast, type Machine, processTimeout, type Version } from './iptables.ts';
import { thisMachine } from './machine.ts';
import {
  type ChainName,
  deleteInput,
  emptyInput,
  type RestoreInput,
  restoreInput,
} from './render.ts';
import { type ReaderOptions, RuleReader, type RulesRead } from './rule-reader.ts';
import { deletableChains, ourPart, type Saved, savedJump } from './saved.ts';

/** How this machine's iptables is reached. */
export interface RestoreOptions extends Partial<ReaderOptions> {}

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

/** How often a jump is taken out of a table that cannot be printed. */
const mostJumps = 1000;

/** How long iptables-restore waits for its lock, in seconds: the caller waits as long. Without `-w` it may wait for ever. */
const lockWait = 1;

/** iptables through its own programs: one `iptables-restore` a change, none while the rules stay the same. */
export class RestoreFirewall implements Firewall {
  readonly #machine: Machine;
  readonly #pause: (milliseconds: number) => Promise<void>;
  readonly #reader: RuleReader;
  readonly #held = new Map<Family, Held>();
  /** The iptables-restore of each family that runs now. */
  readonly #restoring = new Map<Family, Promise<unknown>>();
  /** The last call of each family that was begun, over when it is settled. */
  readonly #last = new Map<Family, Promise<unknown>>();

  constructor(options: RestoreOptions = {}) {
    const { machine = thisMachine, pause = sleep, generation = () => undefined } = options;
    this.#machine = machine;
    this.#pause = pause;
    this.#reader = new RuleReader({ ...options, machine, pause, generation });
  }

  async capabilities(family: Family): Promise<FirewallCapabilities> {
    const { version } = await this.#reader.programs(family);
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
    if (await this.#reader.isUnchanged(family, standing)) return 'same';
    const { saved, generation } = await this.#reader.read(family, ruleset);
    if (ourPart(saved, { family, ruleset }).text !== standing.ours) return 'different';
    this.#held.set(family, { ...held, standing: { ...standing, generation } });
    return 'same';
  }

  /** Notes what stands in the kernel after our own write; if that cannot be read, nothing is known any more. */
  async #readBack(family: Family, { ruleset, input }: Held): Promise<Standing> {
    this.#held.delete(family);
    // Another family's write that is under way would move the generation meanwhile.
    await Promise.allSettled(this.#restoring.values());
    const { saved, generation } = await this.#reader.read(family, ruleset);
    const { text, isComplete } = ourPart(saved, { family, ruleset });
    const standing = { ours: text, isComplete, generation };
    this.#held.set(family, { ruleset, input, standing });
    return standing;
  }

  async #remove(family: Family, ruleset: Ruleset): Promise<void> {
    this.#held.delete(family);
    const operation = `remove ${family} rules`;
    const first = await this.#reader.read(family, ruleset);
    const present = ruleset.chains.filter(({ table, name }) =>
      first.saved.get(table)?.chains.has(name),
    );
    const jumps = standingJumps(first.saved, { family, ruleset });
    await this.#restore(operation, { family, input: emptyInput(present, jumps) });
    const { saved, opaque } = await this.#withoutJumps(family, ruleset);
    const isOpaque = ({ table }: ChainName) => opaque.includes(table);
    const deletable = deletableChains(saved, { family, ruleset });
    const input = deleteInput(deletable.filter((chain) => !isOpaque(chain)));
    await this.#restore(operation, { family, input });
    for (const chain of deletable.filter(isOpaque)) {
      try {
        await this.#restore(operation, { family, input: deleteInput([chain]) });
      } catch (error) {
        // Which rules of others refer to it cannot be read there; empty as it is, it may stay.
        if (!isBusy(error)) throw error;
      }
    }
  }

  /** What stands when no jump stands any more: a table that cannot be printed does not say how often a jump does. */
  async #withoutJumps(family: Family, ruleset: Ruleset): Promise<RulesRead> {
    for (let round = 0; ; round++) {
      const read = await this.#reader.read(family, ruleset);
      const jumps = standingJumps(read.saved, { family, ruleset });
      if (jumps.length === 0 || read.opaque.length === 0) return read;
      const operation = `remove ${family} jumps`;
      if (round > mostJumps)
        throw new KernelError(operation, 'EBUSY', { detail: 'they come again and again' });
      await this.#restore(operation, { family, input: emptyInput([], jumps) });
    }
  }

  async #missingJumps(family: Family, ruleset: Ruleset): Promise<readonly Jump[]> {
    const standing = this.#held.get(family)?.standing;
    if (standing?.isComplete && (await this.#reader.isUnchanged(family, standing))) return [];
    const { saved } = await this.#reader.read(family, ruleset);
    return ruleset.jumps.filter((jump) => {
      const rules = saved.get(jump.table)?.rules;
      return !rules?.includes(savedJump(jump, family));
    });
  }

  async #restore(
    operation: string,
    { family, input }: { family: Family; input: RestoreInput },
  ): Promise<void> {
    if (input.text === '') return;
    const { restore, version } = await this.#reader.programs(family);
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
}

/** Our jumps that stand, each as often as it does. */
function standingJumps(
  saved: Saved,
  { family, ruleset }: { family: Family; ruleset: Ruleset },
): readonly Jump[] {
  return ruleset.jumps.flatMap((jump) => {
    const text = savedJump(jump, family);
    return (saved.get(jump.table)?.rules ?? []).filter((rule) => rule === text).map(() => jump);
  });
}

/** How this iptables-restore is told to wait for the lock. Before 1.6.2 it takes none; from 1.8.8 on it is woken, and polls no more. */
function lockWords(version: Version): readonly string[] {
  if (!isAtLeast(version, [1, 6, 2])) return [];
  const seconds = ['-w', String(lockWait)];
  return isAtLeast(version, [1, 8, 8]) ? seconds : [...seconds, '-W', '100000'];
}
