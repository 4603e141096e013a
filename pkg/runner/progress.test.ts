import { expect, test } from 'vitest';
import { ProgressBoard, printProgress, printProgressBar } from './progress.ts';

test.each([
  [{ done: 12_000, total: 50_000 }, 'reading: 12,000 of 50,000 (24 %)'],
  [{ done: 999, total: 1000 }, 'reading: 999 of 1,000 (99 %)'],
  [{ done: 0, total: 5 }, 'reading: 0 of 5 (0 %)'],
  [{ done: 1_234_567, total: undefined }, 'reading: 1,234,567'],
  [{ done: 0, total: undefined }, 'reading'],
  // More than was thought, or nothing at all.
  [{ done: 7, total: 5 }, 'reading: 7 of 5 (100 %)'],
  [{ done: 0, total: 0 }, 'reading: 0 of 0 (100 %)'],
])('%j is printed as %s', (counts, text) => {
  expect(printProgress({ stage: 'reading', ...counts })).toBe(text);
});

test.each([
  [{ done: 24, total: 100 }, 80, '[####----------------] reading: 24 of 100 (24 %)'],
  [{ done: 5, total: 5 }, 80, '[####################] reading: 5 of 5 (100 %)'],
  [{ done: 5, total: undefined }, 80, 'reading: 5'],
  [{ done: 24, total: 100 }, 32, '[####----------------] reading:'],
  [{ done: 24, total: 100 }, 0, ''],
])('%j has in %d columns the bar %s', (counts, columns, text) => {
  expect(printProgressBar({ stage: 'reading', ...counts }, columns)).toBe(text);
});

test('a board has what goes on, with what was counted', () => {
  const board = new ProgressBoard();
  let read = 3;
  const one = board.begin('one', { total: 10 });
  const other = board.begin('other', { done: () => read });
  one.add();
  one.add(4);
  read = 7;
  expect(board.current.map(printProgress)).toEqual(['one: 5 of 10 (50 %)', 'other: 7']);
  one.end();
  one.end();
  expect(board.current).toEqual([other]);
});

test('work that throws is over too', async () => {
  const board = new ProgressBoard();
  const failing = board.during({ stage: 'failing' }, async () => {
    expect(board.current).toHaveLength(1);
    throw new Error('broken');
  });
  await expect(failing).rejects.toThrow('broken');
  expect(board.current).toEqual([]);
});

test('listeners hear of the first beginning and the last end', () => {
  const board = new ProgressBoard();
  const heard: string[] = [];
  board.listen({ begun: () => heard.push('begun'), ended: () => heard.push('ended') });
  const one = board.begin('one');
  const other = board.begin('other');
  board.listen({ begun: () => heard.push('late'), ended: () => {} });
  one.end();
  expect(heard).toEqual(['begun', 'late']);
  other.end();
  expect(heard).toEqual(['begun', 'late', 'ended']);
});
