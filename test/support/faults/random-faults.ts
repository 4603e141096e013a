import type { ErrnoCode } from '../../../pkg/errno/errno.ts';
import { Dice } from '../kube/dice.ts';
import { type Fault, type KernelCall, writeKind } from './fault.ts';

/** What the kernel answers, rightly or by the look of it, when it did not do what was asked for. */
const refusals = [
  ...(['EBUSY', 'EINTR', 'EAGAIN', 'ENOBUFS', 'ENOMEM', 'ETIMEDOUT', 'EIO'] as const),
  ...(['EINVAL', 'EPERM', 'EEXIST', 'ENOSPC', 'EMSGSIZE'] as const),
] as const;
const notFound = ['ENOENT', 'ESRCH', 'ENODEV'] as const;
/** What stands for an answer that did not arrive. */
const lost = ['ENOBUFS', 'ETIMEDOUT', 'EINTR', 'EIO'] as const;

/** How often a kind of fault struck, by call: `ipvs.write deleteRealServer lost`. */
export type FaultCounts = ReadonlyMap<string, number>;

/**
 * Faults at random, the same ones for the same seed. A third of them are lost answers. A deletion that was not done never says that
 * there is nothing to delete: no kernel does, and nobody could tell it from the truth.
 */
export class RandomFaults {
  /** How many of a hundred calls fail. 0 ends the faults. */
  percent: number;
  readonly #dice: Dice;
  readonly #counts = new Map<string, number>();

  constructor({ seed, percent }: { seed: number; percent: number }) {
    this.percent = percent;
    this.#dice = new Dice(seed);
  }

  get counts(): FaultCounts {
    return this.#counts;
  }

  /** Whether something fails that is no call of the kernel. */
  strikes(): boolean {
    return this.percent > 0 && this.#dice.below(100) < this.percent;
  }

  /** A {@link FaultSource}. Of batches, one in ten of those that are struck fails as a whole. */
  readonly draw = (call: KernelCall): Fault | undefined => {
    if (!this.strikes() || (call.isWholeBatch && this.#dice.below(10) > 0)) return undefined;
    const isDone = this.#dice.below(3) === 0;
    const code = isDone ? this.#dice.pick(lost) : this.#refusal(call);
    const isThrown = call.isWholeBatch && this.#dice.below(2) === 0;
    this.#count(call, { code, isDone, isThrown });
    return { code, isDone, isThrown };
  };

  #refusal(call: KernelCall): ErrnoCode {
    const isDeletion = /^(delete|unbind)/.test(writeKind(call)) || call.name.endsWith('.delete');
    const isMissing = !isDeletion && this.#dice.below(5) === 0;
    return this.#dice.pick(isMissing ? notFound : refusals);
  }

  #count(call: KernelCall, { isDone, isThrown }: Fault): void {
    const how = isDone ? 'lost' : 'refused';
    const what = call.isWholeBatch ? (isThrown ? 'whole batch thrown' : 'whole batch') : '';
    const parts = [call.name, writeKind(call), what, how].filter((part) => part !== '');
    const key = parts.join(' ');
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
