import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, seconds, sleep } from '../runner/clock.ts';

/** Whoever has a name. */
export interface NameHolder {
  /** As this process sees the user: root of another user namespace is not 0. */
  readonly uid: number;
  /** 0 if it is not in sight of this process. */
  readonly pid: number;
  /** Ends when the holder gives the name up or ends, or when the signal aborts. */
  ended(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A name that is this process's until it is closed, or until the process ends, however that comes. */
export interface HeldName {
  close(): void;
}

/** Names in a network namespace, each of which one process has at a time. */
export interface Names {
  /** Takes a name; `taken` if another process has it. Throws KernelError. */
  take(name: string): HeldName | 'taken';
  /** Who has a name; `unknown` if that cannot be told now. Throws KernelError. */
  holder(name: string): NameHolder | 'unknown';
}

/** What a kube-proxy is told apart by in its network namespace. */
export const instanceName = 'kube-proxy-ipvs';

/** How a turn is waited for. */
export interface TurnOptions {
  readonly names: Names;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** How often it is asked who has the name before the program goes on without it. */
const unknownLimit = 50;
const unknownPause = seconds(0.2);

/** Between an end of a wait and the next one. */
const turnPause = seconds(1);

/**
 * Waits until no other kube-proxy of root's works in this network namespace, and takes its place. Whoever else has the name does
 * not count: then, and where names cannot be had, the result is `undefined`, as after an abort.
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
      // It is about to end or to begin; or it hides who it is, and must not hold up anybody.
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
