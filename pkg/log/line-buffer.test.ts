import { beforeEach, expect, test } from 'vitest';
import { seconds } from '../runner/clock.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { LineBuffer } from './line-buffer.ts';

let clock: ManualClock;
let lines: LineBuffer;
let written: string;
let missed: number[];
/** How many bytes the reader takes before it is full. */
let room: number;
let isGone: boolean;
let attempts: number;

beforeEach(() => {
  clock = manualClock();
  written = '';
  missed = [];
  room = Number.POSITIVE_INFINITY;
  isGone = false;
  attempts = 0;
  lines = new LineBuffer({ write, clock, onMissed: (count) => missed.push(count) });
});

function write(bytes: Uint8Array): number {
  attempts++;
  if (isGone) throw Object.assign(new Error('broken pipe'), { code: 'EPIPE' });
  const taken = Math.min(room, bytes.length);
  room -= taken;
  written += Buffer.from(bytes.subarray(0, taken)).toString('latin1');
  return taken;
}

test('a line is out when the call returns, and nothing waits', () => {
  lines.write('a\n');
  expect([written, lines.isEmpty, clock.pending()]).toEqual(['a\n', true, 0]);
});

test('lines wait for a reader that is slow, cut where it stopped, and come in order', async () => {
  room = 5;
  for (const line of ['one\n', 'two\n', 'three\n']) lines.write(line);
  expect([written, lines.isEmpty]).toEqual(['one\nt', false]);
  room = 4;
  await clock.advance(seconds(0.1));
  expect(written).toBe('one\ntwo\nt');
  room = 1000;
  lines.write('four\n');
  await clock.advance(seconds(0.1));
  expect(written).toBe('one\ntwo\nthree\nfour\n');
  expect([missed, clock.pending()]).toEqual([[], 0]);
});

test('a reader that never reads costs a fixed amount of memory and few calls', async () => {
  room = 0;
  for (let count = 0; count < 100_000; count++) lines.write('a line of some length\n');
  expect(attempts).toBe(1);
  const waiting = 100_000 - lines.dropped;
  expect(waiting * (128 + 22)).toBeLessThanOrEqual(256 * 1024);
  await clock.advance(seconds(10));
  expect(attempts).toBe(101);
  room = Number.POSITIVE_INFINITY;
  await clock.advance(seconds(0.1));
  expect(written.length).toBe(waiting * 22);
  expect(missed).toEqual([lines.dropped]);
  expect(clock.pending()).toBe(0);
});

test('what is said of missed lines may itself be a line, missed or not', async () => {
  lines = new LineBuffer({ write, clock, onMissed: (count) => lines.write(`missed ${count}\n`) });
  isGone = true;
  lines.write('a\n');
  lines.write('b\n');
  expect([lines.dropped, lines.isEmpty, clock.pending()]).toEqual([2, true, 0]);
  isGone = false;
  lines.write('c\n');
  expect(written).toBe('c\nmissed 2\n');
});
