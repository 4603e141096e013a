import type { MutexToken } from '../runner/mutex.ts';
import { Keys } from './desired/keys.ts';
import type { Parts } from './parts.ts';

/** What the rules of the first sync are finished with. */
export interface FinishOptions {
  /** Makes the kernel hold what is wanted for some keys. False if something shared failed. */
  readonly reconcile: (keys: Keys, token: MutexToken) => Promise<boolean>;
  /** Whether everything but what waits for rules was carried out: before, the nat table is not taken over from iptables mode. */
  readonly isSuccess: boolean;
  readonly stop: Pick<AbortController, 'signal'>;
}

type UsedParts = Pick<Parts, 'mutex' | 'leftovers' | 'rules' | 'reconciler'>;

/**
 * Carries out what waits for rules until nothing does, then writes those rules that iptables mode still stood in the place of. False
 * if something shared failed, or the signal aborted.
 */
export async function finishRules(parts: UsedParts, options: FinishOptions): Promise<boolean> {
  const { mutex, leftovers } = parts;
  const { reconcile, isSuccess } = options;
  const isDone = (await settleRules(parts, options)) && isSuccess;
  if (!isDone || !leftovers.takeOver()) return isDone;
  const isPlanned = await mutex.run((token) => reconcile(new Keys(), token));
  return (await settleRules(parts, options)) && isPlanned;
}

async function settleRules(
  { mutex, rules, reconciler }: UsedParts,
  { reconcile, stop }: FinishOptions,
): Promise<boolean> {
  let areAllDone = true;
  do {
    await rules.attempted(stop.signal);
    if (stop.signal.aborted) return false;
    const retry = (token: MutexToken) => reconcile(reconciler.takeWaiting(), token);
    areAllDone = (await mutex.run(retry)) && areAllDone;
  } while (reconciler.isWaiting);
  return areAllDone;
}
