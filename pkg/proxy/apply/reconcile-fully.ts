import type { MutexToken } from '../../runner/mutex.ts';
import type { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { Replacements } from '../graceful/address-reuse.ts';
import type { GracefulTerminationManager } from '../graceful/manager.ts';
import type { FrontEndLinger } from './linger.ts';
import { both, type Outcome } from './outcome.ts';
import type { ReconcileOptions, Reconciler } from './reconciler.ts';
import type { VipMoves } from './vip-moves.ts';

/** The parts that know what is to be planned after something else was. */
export interface ReconcilingParts {
  readonly reconciler: Reconciler;
  readonly ledger: Ledger;
  readonly graceful: GracefulTerminationManager;
  readonly linger: FrontEndLinger;
  readonly replacements: Replacements;
  readonly vipMoves: VipMoves;
}

/** The result, and when something is due again, in milliseconds of the clock: `Infinity` if nothing is. */
export interface FullOutcome extends Outcome {
  readonly next: number;
}

/**
 * Makes the kernel hold what is wanted for some keys, then for what follows from that or is due: VIPs that become local in another
 * way, retired front ends, addresses of real servers that may be used again.
 */
export async function reconcileFully(
  keys: Keys,
  token: MutexToken,
  { parts, now, ...options }: ReconcileOptions & { parts: ReconcilingParts; now: number },
): Promise<FullOutcome> {
  const { reconciler, ledger, graceful, linger, replacements, vipMoves } = parts;
  let outcome = await reconciler.reconcile(keys, token, options);
  let moves = vipMoves.takeUnsettled();
  if (!moves.isEmpty) {
    outcome = both(outcome, await reconciler.reconcile(moves, token, options));
    // What a range waited for may stand by now.
    moves = vipMoves.takeUnsettled();
  }
  while (!moves.isEmpty) {
    outcome = both(outcome, await reconciler.reconcile(moves, token, options));
    moves = vipMoves.takeMoved();
  }
  const retired = ledger.retired();
  for (const key of keys.virtualServers) if (retired.has(key)) graceful.virtualServerChanged(key);
  const { keys: due, next = Number.POSITIVE_INFINITY } = linger.release(now);
  const reusable = replacements.offerDue();
  due.add(reusable.keys);
  if (!due.isEmpty) outcome = both(outcome, await reconciler.reconcile(due, token));
  const gone = linger.forget();
  if (!gone.isEmpty) outcome = both(outcome, await reconciler.reconcile(gone, token));
  return { ...outcome, next: Math.min(next, reusable.next ?? next) };
}
