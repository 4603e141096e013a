import { describe, expect, test } from 'vitest';
import { printTime } from './time.ts';

describe('a time is printed as Go prints it', () => {
  test.each([
    ['2025-01-02T03:04:05.678Z', 0, '2025-01-02T03:04:05.678Z'],
    ['2025-01-02T03:04:05.600Z', 0, '2025-01-02T03:04:05.6Z'],
    ['2025-01-02T03:04:05.060Z', 0, '2025-01-02T03:04:05.06Z'],
    ['2025-01-02T03:04:00.000Z', 0, '2025-01-02T03:04:00Z'],
    ['2025-01-02T03:04:05.600Z', 60, '2025-01-02T04:04:05.6+01:00'],
    ['2025-01-02T03:04:05.600Z', -210, '2025-01-01T23:34:05.6-03:30'],
    ['2025-12-31T23:00:00.000Z', 330, '2026-01-01T04:30:00+05:30'],
  ])('%s, %i minutes east', (text, offset, printed) => {
    expect(printTime(Date.parse(text), offset)).toBe(printed);
  });
  test('in the zone of the machine', () => {
    const time = Date.parse('2025-07-01T12:00:00.5Z');
    expect(Date.parse(printTime(time))).toBe(time);
  });
});
