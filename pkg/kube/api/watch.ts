import { type Clock, seconds } from '../../runner/clock.ts';
import { SilenceTimer } from './silence.ts';

/** A watch that lived this long was accepted by a server that knows our version. */
const aliveAfter = seconds(2);
/** A watch that lived this long was healthy, whatever ends it. */
const healthyAfter = seconds(10);

/** What a watch is told while it is open. */
export interface WatchHooks {
  /** Aborts when the watch is no longer wanted, or was silent for too long. */
  readonly signal: AbortSignal;
  /** The server has accepted it. */
  readonly onOpen: () => void;
  /** Something came. */
  readonly onHeard: () => void;
}

/** How a watch is followed. */
export interface WatchLifeOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long silence is bearable just now, in milliseconds. */
  readonly patience: () => number;
  /** Opens it; ends when the server ends it. */
  readonly open: (hooks: WatchHooks) => Promise<void>;
  /** It was accepted and has lived for two seconds. */
  readonly onAlive: () => void;
  /** It has lived for ten seconds. */
  readonly onHealthy: () => void;
}

/** How a watch ended that did not fail. */
export interface EndedWatch {
  /** Nothing came for too long; otherwise the server ended it. */
  readonly isSilent: boolean;
  /** Milliseconds since the server accepted it; `undefined` if it never did. */
  readonly lifetime: number | undefined;
}

/** One watch from its request to its end; throws if it fails. */
export async function liveWatch({
  clock,
  signal,
  patience,
  open,
  onAlive,
  onHealthy,
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
      onHeard: () => timer.heard(),
    });
    return { isSilent: false, lifetime: lifetime() };
  } catch (error) {
    if (signal.aborted || !silence.signal.aborted) throw error;
    return { isSilent: true, lifetime: lifetime() };
  } finally {
    for (const cancel of cancels) cancel();
  }
}
