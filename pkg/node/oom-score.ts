import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import { type Clock, sleep } from '../runner/clock.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

const path = 'oom_score_adj';
const tries = 2;
const pause = 100; // ms

/** Sets the OOM score of this process. An error is logged and ignored. */
export async function applyOomScore(
  score: number,
  { process, clock, log }: { process: Sysctl; clock: Clock; log: Logger },
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (process.read(path) !== String(score)) process.write(path, String(score));
      return;
    } catch (error) {
      if (attempt === tries)
        return log.warn('cannot set oom_score_adj', { score, reason: errorText(error) });
    }
    await sleep(clock, pause);
  }
}
