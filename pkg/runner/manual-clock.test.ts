import { describe, expect, test } from 'vitest';
import { manualClock } from './manual-clock.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Work that asks for so many turns of the event loop, and for some promises in each. */
async function work(turns: number, done: () => void): Promise<void> {
  for (let count = 0; count < turns; count++) {
    await turn();
    for (let promise = 0; promise < 10; promise++) await Promise.resolve();
  }
  done();
}

describe('advance', () => {
  test('runs what is due in the order of its time, what is due at once in the order of its request', async () => {
    const clock = manualClock();
    const received: string[] = [];
    for (const [milliseconds, name] of [
      [20, 'd'],
      [10, 'a'],
      [10, 'b'],
      [30, 'late'],
    ] as const)
      clock.after(milliseconds, () => received.push(`${name} at ${clock.now()}`));
    clock.after(10, () => clock.after(0, () => received.push(`c at ${clock.now()}`)));
    clock.after(15, () => received.push('cancelled'))();
    await clock.advance(20);
    expect(received).toEqual(['a at 10', 'b at 10', 'c at 10', 'd at 20']);
    expect([clock.now(), clock.pending()]).toEqual([20, 1]);
  });

  test('waits for work that needs many turns of the event loop, before time moves and after', async () => {
    const clock = manualClock();
    const received: string[] = [];
    void work(100, () => received.push(`before, at ${clock.now()}`));
    clock.after(5, () => void work(100, () => received.push(`after, at ${clock.now()}`)));
    clock.after(7, () => received.push(`timer at ${clock.now()}`));
    await clock.advance(10);
    expect(received).toEqual(['before, at 0', 'after, at 5', 'timer at 7']);
  });

  test('of two clocks at once ends for both', async () => {
    const received: string[] = [];
    await Promise.all(
      ['one', 'two'].map(async (name) => {
        const clock = manualClock();
        clock.after(1, () => void work(20, () => received.push(name)));
        await clock.advance(1);
      }),
    );
    expect(received.sort()).toEqual(['one', 'two']);
  });

  test('does not wait for ever', async () => {
    const clock = manualClock();
    let isOver = false;
    void (async () => {
      while (!isOver) await turn();
    })();
    await expect(clock.advance(0)).rejects.toThrow('does not come to an end');
    isOver = true;
  });
});
