import { expect, test } from 'vitest';
import { recordingLogger } from '../log/memory.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { FakeSysctl } from '../sysctl/fake.ts';
import { applyOomScore } from './oom-score.ts';

function own(score: string) {
  const process = new FakeSysctl({ values: { oom_score_adj: score } });
  return { process, clock: manualClock(), log: recordingLogger() };
}

test('the score is set if it is another one', async () => {
  const options = own('0');
  await applyOomScore(-999, options);
  await applyOomScore(-999, options);
  expect(options.process.writes).toEqual(['oom_score_adj=-999']);
});

test('it is tried twice, and then reported', async () => {
  const options = own('0');
  options.process.protect('oom_score_adj');
  const done = applyOomScore(-999, options);
  await options.clock.advance(99);
  expect(options.log.lines()).toEqual([]);
  await options.clock.advance(1);
  await done;
  expect(options.log.lines()).toEqual([
    'warning cannot set oom_score_adj {"score":-999,"reason":"write -999 to oom_score_adj: EACCES"}',
  ]);
});
