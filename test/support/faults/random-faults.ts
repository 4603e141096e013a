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

/**
 * Faults at random, the same ones for the same seed. A third of them are lost answers. A deletion that was not done is never answered with
 * ENOENT: no kernel does that, and it could not be distinguished from a real one.
 */
export class RandomFaults {
  /** How many of a hundred calls fail. 0 ends the faults. */
  percent: number;
  readonly #dice: Dice;
  readonly #callsMet = new Set<string>();

  constructor({ seed, percent }: { seed: number; percent: number }) {
    this.percent = percent;
    this.#dice = new Dice(seed);
  }

  /** What was asked about: `ipvs.write` for a batch, `ipvs.write deleteRealServer` for one of its writes. */
  get callsMet(): ReadonlySet<string> {
    return this.#callsMet;
  }

  /** Whether something fails that is no call of the kernel. */
  strikes(): boolean {
    return this.percent > 0 && this.#dice.below(100) < this.percent;
  }

  /** A {@link FaultSource}. Of batches, one in ten of those that are struck fails as a whole. */
  readonly draw = (call: KernelCall): Fault | undefined => {
    this.#callsMet.add(`${call.name} ${writeKind(call)}`.trimEnd());
    if (!this.strikes() || (call.isWholeBatch && this.#dice.below(10) > 0)) return undefined;
    const isDone = this.#dice.below(3) === 0;
    const code = isDone ? this.#dice.pick(lost) : this.#refusal(call);
    const isThrown = call.isWholeBatch && this.#dice.below(2) === 0;
    return { code, isDone, isThrown };
  };

  #refusal(call: KernelCall): ErrnoCode {
    const isDeletion = /^(delete|unbind)/.test(writeKind(call)) || call.name.endsWith('.delete');
    const isMissing = !isDeletion && this.#dice.below(5) === 0;
    return this.#dice.pick(isMissing ? notFound : refusals);
  }
}
