import type { MutexToken } from '../runner/mutex.ts';
import type { SetReplacer } from './apply/set-replacer.ts';
import type { VipMoves } from './apply/vip-moves.ts';
import type { Keys } from './desired/keys.ts';
import type { Audit } from './observed/kernel-reader.ts';
import { readVips } from './observed/vip-reader.ts';
import type { Parts } from './parts.ts';

// The kernel is read into the mirror; what is wanted follows what was read, and only here.

/**
 * Reads the device, all addresses and our routes. The routes that are wanted follow. Returns the VIPs and the ranges that are not as
 * wanted.
 */
export async function readAddresses(
  { auditContext, vipMoves }: Pick<Parts, 'auditContext' | 'vipMoves'>,
  token: MutexToken,
): Promise<Keys> {
  token.check();
  return vipMoves.follow(await readVips(auditContext));
}

interface StepParts {
  readonly vipMoves: VipMoves;
  readonly setReplacer: Pick<SetReplacer, 'replace'>;
}

/**
 * Runs the next step of an audit and returns its keys, or `undefined` after the last one. The routes that are wanted follow the
 * addresses that it read, and sets with a wrong header are replaced.
 */
export async function auditStep(
  { vipMoves, setReplacer }: StepParts,
  { audit, token }: { readonly audit: Audit; readonly token: MutexToken },
): Promise<Keys | undefined> {
  const step = await audit.next(token);
  if (step?.elsewhere) step.keys.take(await vipMoves.follow(step.elsewhere));
  if (step?.leftovers) await setReplacer.replace(step.leftovers, token);
  return step?.keys;
}
