import { describe, expect, test } from 'vitest';
import { KernelError } from '../../../pkg/errno/errno.ts';
import { seconds } from '../../../pkg/runner/clock.ts';
import { manualClock } from '../../../pkg/runner/manual-clock.ts';
import { LogWatch } from './log-watch.ts';

function start() {
  const clock = manualClock();
  const watch = new LogWatch(clock);
  const { log } = watch;
  const add = (code: string, realServer = '10.0.0.1:80', count = 0) =>
    log.error('operation failed', new KernelError('add', code as `E${string}`), {
      realServer,
      count,
    });
  return { clock, watch, log, add };
}

describe('a repetition is the same said of the same object for the same cause within a minute', () => {
  test('the same line', async () => {
    const { clock, watch, add } = start();
    add('EBUSY');
    await clock.advance(seconds(59));
    add('EBUSY');
    expect(watch.repetitions).toMatchObject([{ after: 59_000 }]);
    expect(watch.repetitions[0]?.line).toContain('EBUSY');
  });

  test('a number makes no other object of it', () => {
    const { watch, add } = start();
    add('EBUSY', '10.0.0.1:80', 1);
    add('EBUSY', '10.0.0.1:80', 2);
    expect(watch.repetitions).toHaveLength(1);
  });

  test('not for another cause, not of another object, not a minute later', async () => {
    const { clock, watch, add } = start();
    add('EBUSY');
    add('ENOMEM');
    add('EBUSY', '10.0.0.2:80');
    await clock.advance(seconds(60));
    add('EBUSY');
    expect(watch.repetitions).toEqual([]);
    expect(watch.unasked).toBe(4);
  });

  test('not of another program', () => {
    const { watch, add } = start();
    add('EBUSY');
    watch.forget();
    add('EBUSY');
    expect(watch.repetitions).toEqual([]);
  });

  test('not of what is said on request only', () => {
    const { watch, log } = start();
    for (let time = 0; time < 3; time++) log.v(2)?.info('drain ended');
    expect(watch).toMatchObject({ repetitions: [], unasked: 0, lines: 3 });
  });
});
