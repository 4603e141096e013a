import { beforeEach, describe, expect, test } from 'vitest';
import { KernelError } from '../errno/errno.ts';
import { recordingLogger } from '../log/memory.ts';
import { manualClock } from '../runner/manual-clock.ts';
import {
  type HeldName,
  instanceName,
  type NameHolder,
  type Names,
  waitForTurn,
} from './instance.ts';

/** A name whose holder the test sets and ends. */
class OneName implements Names {
  holding: { uid: number; pid: number } | 'unknown' | undefined;
  taken: string | undefined;
  #onEnd: () => void = () => undefined;

  end(): void {
    this.holding = undefined;
    this.#onEnd();
  }

  take(name: string): HeldName | 'taken' {
    if (this.holding !== undefined) return 'taken';
    this.taken = name;
    return { close: () => undefined };
  }

  holder(): NameHolder | 'unknown' {
    if (this.holding === 'unknown' || this.holding === undefined) return 'unknown';
    const ended = (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        this.#onEnd = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    return { ...this.holding, ended, close: () => undefined };
  }
}

let names: OneName;
let clock = manualClock();
let log = recordingLogger();
let stop: AbortController;

beforeEach(() => {
  names = new OneName();
  clock = manualClock();
  log = recordingLogger();
  stop = new AbortController();
});

function wait() {
  let turn: HeldName | undefined | 'waiting' = 'waiting';
  const over = waitForTurn({ names, clock, log, signal: stop.signal }).then((held) => {
    turn = held;
  });
  return { over, now: () => turn };
}

describe('the name is taken', () => {
  test('at once where nobody has it, and nothing is said', async () => {
    const turn = wait();
    await clock.advance(0);
    expect(turn.now()).toEqual({ close: expect.any(Function) as unknown });
    expect(names.taken).toBe(instanceName);
    expect(log.lines()).toEqual([]);
  });
  test('when the kube-proxy of root that has it ends, however long that takes', async () => {
    names.holding = { uid: 0, pid: 12 };
    const turn = wait();
    await clock.advance(3_600_000);
    expect(turn.now()).toBe('waiting');
    names.end();
    await clock.advance(0);
    expect(turn.now()).not.toBe('waiting');
    expect(log.lines()).toEqual([
      'info another kube-proxy works on this node: waiting for its end {"pid":12}',
      'info taking over: the other kube-proxy has ended',
    ]);
  });
  test('after another one that was faster', async () => {
    names.holding = { uid: 0, pid: 12 };
    const turn = wait();
    await clock.advance(0);
    names.end();
    names.holding = { uid: 0, pid: 13 };
    await clock.advance(10_000);
    expect(turn.now()).toBe('waiting');
    names.end();
    await clock.advance(0);
    expect(turn.now()).not.toBe('waiting');
  });
});

describe('nobody waits', () => {
  test('for a process that is not of root, and the log says who it is', async () => {
    names.holding = { uid: 65_534, pid: 12 };
    const turn = wait();
    await clock.advance(0);
    expect(turn.now()).toBeUndefined();
    expect(log.lines()).toEqual([
      'warning cannot tell whether another kube-proxy works on this node: not waiting {"reason":"user 65534 has its name, who is not root"}',
    ]);
  });
  test('for long for one that does not say who it is', async () => {
    names.holding = 'unknown';
    const turn = wait();
    await clock.advance(9_900);
    expect(turn.now()).toBe('waiting');
    await clock.advance(200);
    expect(turn.now()).toBeUndefined();
  });
  test('where names cannot be had at all', async () => {
    names.take = () => {
      throw new KernelError('take the name', 'EPERM');
    };
    const turn = wait();
    await clock.advance(0);
    expect(turn.now()).toBeUndefined();
    expect(log.lines().join()).toContain('take the name: EPERM');
  });
  test('after a signal to end', async () => {
    names.holding = { uid: 0, pid: 12 };
    const turn = wait();
    await clock.advance(0);
    stop.abort();
    await turn.over;
    expect(turn.now()).toBeUndefined();
    expect(names.taken).toBeUndefined();
  });
});
