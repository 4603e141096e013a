import { beforeEach, describe, expect, test } from 'vitest';
import { recordingLogger } from '../log/memory.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { ProgressBoard } from './progress.ts';
import { drawProgress, logProgress } from './show-progress.ts';

let board: ProgressBoard;
let clock: ManualClock;

beforeEach(() => {
  board = new ProgressBoard();
  clock = manualClock();
});

describe('in the log', () => {
  let log: ReturnType<typeof recordingLogger>;

  beforeEach(() => {
    log = recordingLogger();
    logProgress(board, { clock, log });
  });

  const logged = () => log.records.map(({ message, fields }) => ({ message, fields }));

  test('work that is short says nothing', async () => {
    const stage = board.begin('reading');
    await clock.advance(4999);
    stage.end();
    await clock.advance(60_000);
    expect(logged()).toEqual([]);
  });

  test('work that is long says every five seconds how far it is', async () => {
    const reading = board.begin('reading', { total: 10 });
    const waiting = board.begin('waiting');
    reading.add(3);
    await clock.advance(5000);
    reading.add(4);
    waiting.end();
    await clock.advance(9999);
    expect(logged()).toEqual([
      { message: 'reading', fields: { done: 3, total: 10 } },
      { message: 'waiting', fields: { done: 0 } },
      { message: 'reading', fields: { done: 7, total: 10 } },
    ]);
  });

  test('work in short steps counts as one, and none costs a timer', async () => {
    for (const stage of ['one', 'two', 'three']) {
      const step = board.begin(stage);
      await clock.advance(2000);
      step.end();
      expect(clock.pending()).toBe(0);
    }
    expect(logged()).toEqual([{ message: 'three', fields: { done: 0 } }]);
  });

  test('work much later begins anew', async () => {
    board.begin('one').end();
    await clock.advance(60_000);
    board.begin('two');
    await clock.advance(4999);
    expect(logged()).toEqual([]);
    await clock.advance(1);
    expect(logged()).toHaveLength(1);
  });
});

describe('on a terminal', () => {
  let shown: string[];

  beforeEach(() => {
    shown = [];
    const line = { show: (text: string) => shown.push(text), hide: () => shown.push('hidden') };
    drawProgress(board, { clock, line, columns: () => 80 });
  });

  test('work that is short draws nothing', async () => {
    const stage = board.begin('reading');
    await clock.advance(299);
    stage.end();
    await clock.advance(60_000);
    expect(shown).toEqual(['hidden']);
  });

  test('the work that began last has a bar until the last ends', async () => {
    const all = board.begin('all');
    const part = board.begin('part', { total: 2 });
    await clock.advance(300);
    part.add();
    await clock.advance(100);
    part.end();
    await clock.advance(100);
    all.end();
    await clock.advance(60_000);
    expect(shown).toEqual([
      '[--------------------] part: 0 of 2 (0 %)',
      '[##########----------] part: 1 of 2 (50 %)',
      'all',
      'hidden',
    ]);
  });
});
