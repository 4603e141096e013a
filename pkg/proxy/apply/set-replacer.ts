import { errnoOf, isBusy } from '../../errno/errno.ts';
import type { Family } from '../../ip/address.ts';
import { type Entry, printSetHeader } from '../../ipset/ipset.ts';
import type { Logger } from '../../log/log.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import type { LeftoverSet, LeftoverSets } from '../observed/leftover-sets.ts';
import type { FailedOperation } from '../plan/failed-operation.ts';
import type { Operation } from '../plan/operation.ts';
import {
  isSwappable,
  planRemaking,
  planSwap,
  type SetReplacement,
  type SetToReplace,
  sweeping,
} from '../plan/set-replacement.ts';
import type { Applier } from './applier.ts';

/** How many operations of a replacement are made and carried out at a time. */
const pieceSize = 1024;

export interface SetReplacerOptions {
  readonly applier: Pick<Applier, 'apply'>;
  /** The wanted entries of a set, and the wanted content of a family's rules. */
  readonly ledger: {
    entries(set: string): Iterable<Entry>;
    ruleContent(family: Family): RuleContent;
  };
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Replaces sets that have our names and a wrong header.
 *
 *     another size or range    A new set is filled and swapped in, so rules see either the old or the new one. If only the size
 *                              differs, the old one is used until then.
 *     another type or family   Cannot be swapped: our rules are removed, the set is destroyed, created and filled, the rules written.
 *     referred to by others    Cannot be destroyed: reported once, and tried again when fewer rules refer to it.
 */
export class SetReplacer {
  readonly #options: SetReplacerOptions;
  /** Sets that could not be destroyed because others refer to them, with the most references counted since. */
  readonly #mostReferences = new Map<string, number>();
  /** The problems that were reported for each set since its header was last right. */
  readonly #reported = new Map<string, Set<string>>();

  constructor(options: SetReplacerOptions) {
    this.#options = options;
  }

  /** Replaces what can be replaced. Each problem of a set is reported once until its header is right. */
  async replace({ sets, hasTemporary }: LeftoverSets, token: MutexToken): Promise<void> {
    const names = new Set(sets.map(({ wanted }) => wanted.name));
    for (const name of [...this.#mostReferences.keys(), ...this.#reported.keys()])
      if (!names.has(name)) this.#forget(name);
    if (hasTemporary) await this.#sweep(token);
    const others = new Map<Family, LeftoverSet[]>();
    for (const leftover of sets) {
      const isSwapped = isSwappable(leftover) && (await this.#swap(leftover, token));
      // A set of another size alone is used until it can be swapped, so our rules stay.
      if (isSwapped || leftover.isUsable) continue;
      others.set(leftover.family, [...(others.get(leftover.family) ?? []), leftover]);
    }
    for (const [family, some] of others) await this.#remake(some, { family, token });
  }

  /** Swaps a larger set in for one that is full. False if that failed, which is reported once. */
  async grow(leftover: LeftoverSet, token: MutexToken): Promise<boolean> {
    return await this.#swap(leftover, token);
  }

  async #sweep(token: MutexToken): Promise<void> {
    const { applier, log } = this.#options;
    for (const { error } of await applier.apply(sweeping, token))
      log.error('could not destroy a leftover set', error);
  }

  async #swap(leftover: LeftoverSet, token: MutexToken): Promise<boolean> {
    const failure = (await this.#carryOut(planSwap(this.#toReplace(leftover)), token)).get(
      leftover,
    );
    if (failure === undefined) this.#succeed(leftover, 'swapped a set for one as it must be');
    // A set that the kernel refuses to swap is destroyed and created again.
    else if (errnoOf(failure.error) !== 'EINVAL')
      this.#report(leftover, 'could not swap a set', failure.error);
    return failure === undefined;
  }

  async #remake(
    leftovers: readonly LeftoverSet[],
    { family, token }: { family: Family; token: MutexToken },
  ): Promise<void> {
    const sets = leftovers.map((leftover) => this.#toReplace(leftover));
    const replacement = planRemaking(sets, this.#options.ledger.ruleContent(family));
    for (const { wanted, found } of leftovers) {
      const most = this.#mostReferences.get(wanted.name);
      if (most !== undefined)
        this.#mostReferences.set(wanted.name, Math.max(most, found.references));
    }
    const failures = await this.#carryOut(replacement, token);
    for (const { leftover } of replacement.sets) {
      const failure = failures.get(leftover);
      if (failure === undefined) this.#succeed(leftover, 'made a set anew');
      else this.#reportRemaking(leftover, failure);
    }
  }

  /** Carries a replacement out. Returns the sets that were not replaced, each with the operation that failed. */
  async #carryOut(
    { before, sets, after }: SetReplacement,
    token: MutexToken,
  ): Promise<ReadonlyMap<LeftoverSet, FailedOperation>> {
    const { applier } = this.#options;
    const failures = new Map<LeftoverSet, FailedOperation>();
    const [failedBefore] = await applier.apply(before, token);
    for (const { leftover, operations } of sets) {
      const failure = failedBefore ?? (await this.#carryOutInPieces(operations, token));
      if (failure !== undefined) failures.set(leftover, failure);
    }
    await applier.apply(after, token);
    return failures;
  }

  /**
   * Carries out a sequence in pieces and lets the event loop turn between them. Returns the operation that failed; entries do not
   * count.
   */
  async #carryOutInPieces(
    operations: Iterable<Operation>,
    token: MutexToken,
  ): Promise<FailedOperation | undefined> {
    const { applier, now } = this.#options;
    const yielder = new Yielder(now);
    for (const piece of pieces(operations)) {
      const failed = await applier.apply(piece, token, { isSequence: true });
      const failure = failed.find(({ operation }) => operation.kind !== 'addEntry');
      if (failure !== undefined) return failure;
      await yielder.yieldIfDue();
    }
    return undefined;
  }

  #toReplace(leftover: LeftoverSet): SetToReplace {
    const { name } = leftover.wanted;
    const wantedEntries = this.#options.ledger.entries(name);
    return { leftover, wantedEntries, mostReferences: this.#mostReferences.get(name) };
  }

  #succeed({ wanted, found }: LeftoverSet, message: string): void {
    this.#forget(wanted.name);
    const was = printSetHeader(found.header);
    const is = printSetHeader(wanted);
    this.#options.log.warn(message, { set: wanted.name, was, is });
  }

  #reportRemaking(leftover: LeftoverSet, { operation, error }: FailedOperation): void {
    if (operation.kind === 'withdrawRules') {
      this.#report(leftover, 'could not take our rules out to make their set anew', error);
      return;
    }
    // The next audit counts the references anew, when our own rules refer to the set again.
    if (isBusy(error)) this.#mostReferences.set(leftover.wanted.name, 0);
    const message = isBusy(error)
      ? 'a set must be made anew, but rules or sets of others refer to it: take those away'
      : 'could not make a set anew';
    this.#report(leftover, message, error);
  }

  #report({ wanted, found }: LeftoverSet, message: string, error: unknown): void {
    const reported = this.#reported.get(wanted.name) ?? new Set();
    if (reported.has(message)) return;
    this.#reported.set(wanted.name, reported.add(message));
    const is = printSetHeader(found.header);
    const mustBe = printSetHeader(wanted);
    this.#options.log.error(message, error, { set: wanted.name, is, mustBe });
  }

  #forget(name: string): void {
    this.#mostReferences.delete(name);
    this.#reported.delete(name);
  }
}

/** Groups operations. Each is made only when its group is asked for. */
function* pieces(operations: Iterable<Operation>): Iterable<readonly Operation[]> {
  let piece: Operation[] = [];
  for (const operation of operations) {
    piece.push(operation);
    if (piece.length < pieceSize) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
