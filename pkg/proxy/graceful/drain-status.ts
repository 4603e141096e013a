import type { PodState } from '../changes/namespace-pods.ts';
import type { DrainEnd } from '../plan/operation.ts';
import { allowanceOf, type DrainContext } from './decide.ts';
import type { Drain } from './list.ts';
import { type DrainCause, type DrainMode, deadlineOf, type Progress, withCause } from './policy.ts';

/** A drain for those who show it. Times are milliseconds of the clock. */
export interface DrainStatus {
  readonly cause: DrainCause;
  readonly pod: PodState;
  readonly since: number;
  /** When it ends at the latest, by what is known now; infinite if it has no limit. An answer of the real server may put it off. */
  readonly until: number;
  /** When packets from the real server were last seen to come; `undefined` if none have since it began. */
  readonly lastAnswer: number | undefined;
  /** Its connections when they were read last. */
  readonly reading: Progress['reading'];
  /** How it ends, once that is decided: its clients are being looked up, or it is being deleted. */
  readonly ending: DrainEnd | undefined;
}

/** What is known of a drain, by the rules that will end it. */
export function drainStatus(
  drain: Drain,
  { mode, context, now }: { mode: DrainMode; context: DrainContext; now: number },
): DrainStatus {
  const { progress, ending } = drain;
  const { cause, pod } = context;
  const allowed = allowanceOf(drain, { mode, context });
  const { started, lastAnswer } = progress;
  return {
    cause,
    pod,
    since: started,
    until: deadlineOf(withCause(progress, { cause, now }), allowed),
    lastAnswer: lastAnswer > started ? lastAnswer : undefined,
    reading: progress.reading,
    ending: ending?.end,
  };
}
