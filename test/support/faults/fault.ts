import type { ErrnoCode } from '../../../pkg/errno/errno.ts';

/** One call of a kernel interface, or one write of a batch. */
export interface KernelCall {
  /** The interface and its method: `ipvs.write`. */
  readonly name: string;
  /** The arguments of the call; of one write of a batch, the write alone. */
  readonly arguments: readonly unknown[];
  /** Whether this is about all writes of a batch at once. */
  readonly isWholeBatch: boolean;
}

/** What goes wrong with a call. */
export interface Fault {
  readonly code: ErrnoCode;
  /** The kernel did what was asked for, and the answer is that it failed. */
  readonly isDone: boolean;
  /** The call throws where by its contract failures are returned by index. */
  readonly isThrown?: boolean;
}

/** Asked before each call and before each write of a batch; `undefined` lets it through. */
export type FaultSource = (call: KernelCall) => Fault | undefined;

/** The `kind` of a write: `addRealServer`; '' for a call that is no write of a batch. */
export function writeKind({ arguments: [write] }: KernelCall): string {
  const isWrite = typeof write === 'object' && write !== null && 'kind' in write;
  return isWrite && typeof write.kind === 'string' ? write.kind : '';
}
