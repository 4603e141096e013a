import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';

/** The process that holds a name. */
export interface NameHolder {
  /** The user as this process sees it: root of another user namespace is not 0. */
  readonly uid: number;
  /** 0 if the process is not visible to this one. */
  readonly pid: number;
  /** Resolves when the holder gives the name up or ends, or when the signal aborts. */
  ended(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A name that this process holds until it closes it or ends. */
export interface HeldName {
  close(): void;
}

/** Names in a network namespace. One process holds each at a time. */
export interface Names {
  /** Takes a name; `taken` if another process has it. Throws KernelError. */
  take(name: string): HeldName | 'taken';
  /** The holder of a name; `unknown` if it cannot be found out now. Throws KernelError. */
  holder(name: string): NameHolder | 'unknown';
}

/** The name that a kube-proxy holds in its network namespace. */
export const instanceName = 'kube-proxy-ipvs';

/** How a turn is waited for. */
export interface TurnOptions {
  readonly names: Names;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** How many times an unknown holder is looked up before the program goes on without the name. */
const unknownLimit = 50;
const unknownPause = seconds(0.2);

/** The pause between the end of a holder and the next attempt, in milliseconds. */
const turnPause = seconds(1);

/**
 * Waits until no other kube-proxy of root runs in this network namespace, and takes the name. A holder that is not root does not
 * count. The result is `undefined` if the name cannot be taken, and after an abort.
 */
export async function waitForTurn(options: TurnOptions): Promise<HeldName | undefined> {
  const { log } = options;
  try {
    return await takeTurn(options);
  } catch (error) {
    log.warn('cannot tell whether another kube-proxy works on this node: not waiting', {
      reason: errorText(error),
    });
    return undefined;
  }
}

async function takeTurn({ names, clock, log, signal }: TurnOptions): Promise<HeldName | undefined> {
  let unknown = 0;
  let waitedFor: number | undefined;
  while (!signal.aborted) {
    const held = names.take(instanceName);
    if (held !== 'taken') {
      if (waitedFor !== undefined) log.info('taking over: the other kube-proxy has ended');
      return held;
    }
    const holder = names.holder(instanceName);
    if (holder === 'unknown') {
      // The holder is about to start or to end, or hides its identity. A hidden one must not block the program.
      if (++unknown > unknownLimit) throw new Error('somebody has its name and does not answer');
      await sleep(clock, unknownPause, signal);
      continue;
    }
    try {
      if (holder.uid !== 0) throw new Error(`user ${holder.uid} has its name, who is not root`);
      unknown = 0;
      if (holder.pid !== waitedFor)
        log.info('another kube-proxy works on this node: waiting for its end', { pid: holder.pid });
      else await sleep(clock, turnPause, signal);
      waitedFor = holder.pid;
      await holder.ended(signal);
    } finally {
      holder.close();
    }
  }
  return undefined;
}
