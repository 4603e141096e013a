import { type Clock, seconds } from '../../runner/clock.ts';
import type { WatchEnd } from '../metrics.ts';
import { SilenceTimer } from './silence.ts';

/** After this time the server has accepted the watch and our version. */
const aliveAfter = seconds(2);
/** After this time a watch counts as healthy, whatever ends it. */
const healthyAfter = seconds(10);

/** The callbacks of an open watch. */
export interface WatchHooks {
  /** Aborts when the watch is no longer wanted or was silent for too long. */
  readonly signal: AbortSignal;
  /** Called when the server has accepted the watch. */
  readonly onOpen: () => void;
  /** Called when data came. */
  readonly onData: () => void;
}

/** Options of a watch. */
export interface WatchLifeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The longest silence, in milliseconds. */
  readonly patience: () => number;
  /** Opens the watch. Resolves when the server ends it. */
  readonly open: (hooks: WatchHooks) => Promise<void>;
  /** Called two seconds after the watch was accepted. */
  readonly onAlive: () => void;
  /** Called ten seconds after the watch was accepted. */
  readonly onHealthy: () => void;
  /** Called when the watch has ended, unless it was no longer wanted. */
  readonly onEnd: (end: WatchEnd) => void;
}

/** How a watch ended that did not fail. */
export interface EndedWatch {
  /** Whether it was silent for too long; otherwise the server ended it. */
  readonly isSilent: boolean;
  /** Milliseconds since the server accepted it; `undefined` if it never did. */
  readonly lifetime: number | undefined;
}

/** Runs one watch from its request to its end. Throws if it fails. */
export async function liveWatch({
  clock,
  signal,
  patience,
  open,
  onAlive,
  onHealthy,
  onEnd,
}: WatchLifeOptions): Promise<EndedWatch> {
  const silence = new AbortController();
  const onSilence = () => silence.abort(new Error('silent for too long'));
  const timer = new SilenceTimer({ clock, limit: patience, onSilence });
  const cancels = [() => timer.stop()];
  let opened: number | undefined;
  const lifetime = () => (opened === undefined ? undefined : clock.now() - opened);
  try {
    await open({
      signal: AbortSignal.any([signal, silence.signal]),
      onOpen() {
        opened = clock.now();
        cancels.push(clock.after(aliveAfter, onAlive), clock.after(healthyAfter, onHealthy));
      },
      onData: () => timer.restart(),
    });
    onEnd('closed');
    return { isSilent: false, lifetime: lifetime() };
  } catch (error) {
    if (signal.aborted) throw error;
    onEnd(silence.signal.aborted ? 'silent' : 'failed');
    if (!silence.signal.aborted) throw error;
    return { isSilent: true, lifetime: lifetime() };
  } finally {
    for (const cancel of cancels) cancel();
  }
}
