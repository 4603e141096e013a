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
import { deletableChains, ourPart, type Saved, standingCopies } from './saved.ts';

/** How this machine's iptables is reached. */
export interface RestoreOptions extends Partial<ReaderOptions> {}

/** The last write of a family. */
interface Held {
  readonly ruleset: Ruleset;
  /** Its input, to compare with another ruleset's. */
  readonly input: string;
  /** The kernel's rules right after it; `undefined` until they are read back. */
  readonly standing: Standing | undefined;
}

interface Standing {
  /** Our part of the output of iptables-save. */
  readonly ours: string;
  readonly isComplete: boolean;
  readonly generation: number | undefined;
}

/** The pauses before further attempts when another program was faster, in milliseconds. */
const pauses: readonly number[] = [100, 400];

/** How many copies of a jump are removed from a table that cannot be printed. */
const mostJumps = 1000;

/** How many seconds iptables-restore waits for its lock. Without `-w` it may wait for ever. */
const lockWait = 1;

/** iptables through its own programs. A change takes one `iptables-restore`; unchanged rules take none. */
export class RestoreFirewall implements Firewall {
  readonly #machine: Machine;
  readonly #pause: (milliseconds: number) => Promise<void>;
  readonly #reader: RuleReader;
  readonly #held = new Map<Family, Held>();
  /** The iptables-restore of each family that runs now. */
  readonly #restoring = new Map<Family, Promise<unknown>>();
  /** The last call of each family. */
  readonly #last = new Map<Family, Promise<unknown>>();

  constructor(options: RestoreOptions = {}) {
    const { machine = thisMachine, pause = sleep, generation = () => undefined } = options;
    this.#machine = machine;
    this.#pause = pause;
    this.#reader = new RuleReader({ ...options, machine, pause, generation });
  }

  async capabilities(family: Family): Promise<FirewallCapabilities> {
    const { version, iptables } = await this.#reader.programs(family);
    const { flavour } = iptables;
    return { flavour, randomFully: isAtLeast(version, [1, 6, 2]), description: version.line };
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

  /** Runs calls of a family one after the other: two restores at once would each insert a jump that both found missing. */
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
    // The caller does not wait for it. If it fails, the next check returns `unknown`.
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

  /** Records the kernel's rules after our write. If they cannot be read, they are unknown. */
  async #readBack(family: Family, { ruleset, input }: Held): Promise<Standing> {
    this.#held.delete(family);
    // Another family's write would change the generation meanwhile.
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
    const present = ruleset.chains.filter(({ table, name }) => first.saved.get(table)?.has(name));
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
        // Which rules of others refer to it cannot be read there. It is empty, so it may stay.
        if (!isBusy(error)) throw error;
      }
    }
  }

  /** The rules after all jumps were removed, as a table that cannot be printed does not show how often a jump exists. */
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
    const held = this.#held.get(family);
    // A ruleset of fewer tables has fewer jumps: then nothing is known of the others.
    const standing =
      held?.ruleset.jumps.length === ruleset.jumps.length ? held.standing : undefined;
    if (standing?.isComplete && (await this.#reader.isUnchanged(family, standing))) return [];
    const { saved } = await this.#reader.read(family, ruleset);
    return ruleset.jumps.filter((jump) => standingCopies(saved, { jump, family }).length === 0);
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

/** Our jumps in the kernel, each as often as it exists. */
function standingJumps(
  saved: Saved,
  { family, ruleset }: { family: Family; ruleset: Ruleset },
): readonly Jump[] {
  return ruleset.jumps.flatMap((jump) => standingCopies(saved, { jump, family }).map(() => jump));
}

/** The arguments for waiting for the lock. Before 1.6.2 there are none; since 1.8.8 it is woken and does not poll. */
function lockWords(version: Version): readonly string[] {
  if (!isAtLeast(version, [1, 6, 2])) return [];
  const seconds = ['-w', String(lockWait)];
  return isAtLeast(version, [1, 8, 8]) ? seconds : [...seconds, '-W', '100000'];
}
