import { expect, test } from 'vitest';
import { createLogger } from './log.ts';
import { LogTail } from './log-tail.ts';

test('the last lines are kept, whole, in 256 KiB', () => {
  const tail = new LogTail();
  expect(tail.read()).toBe('');
  const line = (number: number) => `${String(number).padStart(6, '0')} ${'ä'.repeat(500)}\n`;
  for (let number = 0; number < 1_000; number++) tail.write(line(number));
  const kept = Math.floor((256 * 1024) / Buffer.byteLength(line(0)));
  const expected = Array.from({ length: kept }, (_, index) => line(1_000 - kept + index));
  expect(tail.read()).toBe(expected.join(''));
});

test('the log of the program keeps what it writes, even where nobody reads it', () => {
  const log = createLogger({ format: 'text', verbosity: 0, write: () => 0 });
  log.info('first sync done', { services: 3 });
  log.v(4)?.info('a detail');
  expect(log.tail?.()).toMatch(/^I\d{4} [^\n]*\] "first sync done" services=3\n$/);
});
