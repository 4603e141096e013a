import { describe, expect, onTestFinished, test } from 'vitest';
import { Backoff } from './backoff.ts';
import { sleep } from './clock.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { Runner, type RunnerOptions } from './runner.ts';

interface Started {
  readonly clock: ManualClock;
  readonly runner: Runner;
  /** When runs began. */
  readonly runs: number[];
  readonly errors: unknown[];
  /** Stops the runner. Resolves when it has ended. */
  readonly stop: () => Promise<void>;
}

/** Node's timers take no longer time: a longer one ends at once. */
function withinTimer(milliseconds: number): number {
  if (milliseconds >= 2 ** 31) throw new RangeError(`a timer of ${milliseconds} ms`);
  return milliseconds;
}

/** A runner that is waiting for its first request at time 0. */
async function start(
  options: Partial<Omit<RunnerOptions, 'run'>> & { run?: (started: Started) => Promise<void> } = {},
): Promise<Started> {
  const clock = manualClock();
  const runs: number[] = [];
  const errors: unknown[] = [];
  const controller = new AbortController();
  const runner = new Runner({
    clock: { ...clock, after: (time, callback) => clock.after(withinTimer(time), callback) },
    log: { error: (_, error) => void errors.push(error) },
    minInterval: 0,
    backoff: new Backoff({ first: 100, last: 400, random: () => 1 }),
    ...options,
    run: async () => {
      runs.push(clock.now());
      await options.run?.(started);
    },
  });
  const ended = runner.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  const started: Started = { clock, runner, runs, errors, stop };
  onTestFinished(() => {
    controller.abort();
    expect(clock.pending()).toBe(0);
  });
  await clock.advance(0);
  return started;
}

describe('a request', () => {
  test('is carried out at once after a quiet spell', async () => {
    const { clock, runner, runs } = await start({ minInterval: 1000 });
    expect(runs).toEqual([]);
    await clock.advance(5000);
    runner.request();
    await clock.advance(0);
    expect(runs).toEqual([5000]);
  });
  test('made before the runner runs counts', async () => {
    const clock = manualClock();
    let runs = 0;
    const run = async () => void runs++;
    const runner = new Runner({ clock, log: { error() {} }, minInterval: 0, run });
    const controller = new AbortController();
    runner.request();
    const ended = runner.run(controller.signal);
    await clock.advance(0);
    controller.abort();
    await ended;
    expect(runs).toBe(1);
  });
  test('soon after a run waits for the window to end, with all the others', async () => {
    const { clock, runner, runs } = await start({ minInterval: 1000 });
    runner.request();
    await clock.advance(300);
    runner.request();
    await clock.advance(300);
    runner.request();
    await clock.advance(5000);
    expect(runs).toEqual([0, 1000]);
  });
  test('the window begins when a run ends', async () => {
    const { clock, runner, runs } = await start({
      minInterval: 1000,
      run: ({ clock: time }) => sleep(time, 400),
    });
    runner.request();
    await clock.advance(500);
    runner.request();
    await clock.advance(5000);
    expect(runs).toEqual([0, 1400]);
  });
  test('many in one moment become one run', async () => {
    const { clock, runner, runs } = await start();
    for (let count = 0; count < 10; count++) runner.request();
    await clock.advance(10);
    expect(runs).toEqual([0]);
  });
  test('many during a run become one run after it, never a second beside it', async () => {
    let running = 0;
    const { clock, runner, runs } = await start({
      run: async ({ clock: time }) => {
        expect(++running).toBe(1);
        await sleep(time, 100);
        running--;
      },
    });
    runner.request();
    await clock.advance(10);
    runner.request();
    await clock.advance(10);
    runner.request();
    await clock.advance(1000);
    expect(runs).toEqual([0, 100]);
  });
});

describe('the period', () => {
  test('brings a run without a request', async () => {
    const { clock, runs } = await start({ maxInterval: 1000 });
    await clock.advance(2500);
    expect(runs).toEqual([1000, 2000]);
  });
  test('counts from the end of the last run, whatever caused it', async () => {
    const { clock, runner, runs } = await start({
      maxInterval: 1000,
      run: ({ clock: time }) => sleep(time, 50),
    });
    await clock.advance(600);
    runner.request();
    await clock.advance(1500);
    expect(runs).toEqual([600, 1650]);
  });
  test('is not wanted by default', async () => {
    const { clock, runs } = await start();
    await clock.advance(1e9);
    expect(runs).toEqual([]);
  });
  test('may be longer than a timer can be', async () => {
    const { clock, runs } = await start({ maxInterval: 2 ** 33 });
    await clock.advance(2 ** 33 - 1);
    expect(runs).toEqual([]);
    await clock.advance(1);
    expect(runs).toEqual([2 ** 33]);
  });
});

describe('a retry', () => {
  test('comes when it was asked for', async () => {
    const { clock, runner, runs } = await start();
    runner.retryAfter(700);
    await clock.advance(2000);
    expect(runs).toEqual([700]);
  });
  test('the soonest counts', async () => {
    const { clock, runner, runs } = await start();
    runner.retryAfter(700);
    runner.retryAfter(300);
    runner.retryAfter(500);
    await clock.advance(2000);
    expect(runs).toEqual([300]);
  });
  test('comes before the period and keeps the window', async () => {
    const { clock, runner, runs } = await start({ minInterval: 200, maxInterval: 1000 });
    runner.request();
    await clock.advance(0);
    runner.retryAfter(50);
    await clock.advance(500);
    expect(runs).toEqual([0, 200]);
  });
  test('asked for by the run itself comes after it', async () => {
    const { clock, runner, runs } = await start({
      run: async (started) => {
        if (started.runs.length < 3) started.runner.retryAfter(100);
      },
    });
    runner.request();
    await clock.advance(1000);
    expect(runs).toEqual([0, 100, 200]);
  });
  test('is forgotten when a run starts before', async () => {
    const { clock, runner, runs } = await start();
    runner.retryAfter(500);
    await clock.advance(100);
    runner.request();
    await clock.advance(2000);
    expect(runs).toEqual([100]);
  });
});

describe('a run that throws', () => {
  test('is reported and repeated with growing pauses until it succeeds, then they start anew', async () => {
    const failing = new Set([1, 2, 3, 5]);
    const { clock, runner, runs, errors } = await start({
      run: async (started) => {
        if (failing.has(started.runs.length)) throw new Error(`run ${started.runs.length}`);
      },
    });
    runner.request();
    await clock.advance(1000);
    runner.request();
    await clock.advance(1000);
    expect(runs).toEqual([0, 100, 300, 700, 1000, 1100]);
    expect(errors.map(String)).toEqual([1, 2, 3, 5].map((run) => `Error: run ${run}`));
  });
  test('does not wait for its pause if asked for', async () => {
    const { clock, runner, runs } = await start({
      run: async (started) => {
        if (started.runs.length === 1) throw new Error('once');
      },
    });
    runner.request();
    await clock.advance(20);
    runner.request();
    await clock.advance(1000);
    expect(runs).toEqual([0, 20]);
  });
});

describe('an abort', () => {
  test('ends a runner that waits, with requests pending', async () => {
    const { clock, runner, runs, stop } = await start({ minInterval: 1000, maxInterval: 2000 });
    runner.request();
    await clock.advance(10);
    runner.request();
    await stop();
    await clock.advance(5000);
    expect(runs).toEqual([0]);
  });
  test('waits for the run that is under way', async () => {
    let hasEnded = false;
    const { clock, runner, stop } = await start({
      run: async ({ clock: time }) => {
        await sleep(time, 100);
        hasEnded = true;
      },
    });
    runner.request();
    await clock.advance(10);
    const stopped = stop().then(() => hasEnded);
    await clock.advance(1000);
    expect(await stopped).toBe(true);
  });
});
