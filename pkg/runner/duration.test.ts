import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, printDuration } from './duration.ts';

describe('a duration is read and printed as in Go', () => {
  test.each([
    ['0', 0, '0s'],
    ['0s', 0, '0s'],
    ['-0', 0, '0s'],
    ['30s', 30_000, '30s'],
    ['1h30m', 5_400_000, '1h30m0s'],
    ['24h', 86_400_000, '24h0m0s'],
    ['90s', 90_000, '1m30s'],
    ['1.5s', 1_500, '1.5s'],
    ['.5m', 30_000, '30s'],
    ['1.h', 3_600_000, '1h0m0s'],
    ['250ms', 250, '250ms'],
    ['1.25ms', 1.25, '1.25ms'],
    ['15us', 0.015, '15µs'],
    ['15µs', 0.015, '15µs'],
    ['15μs', 0.015, '15µs'],
    ['7ns', 0.000007, '7ns'],
    ['-2m', -120_000, '-2m0s'],
    ['+2m', 120_000, '2m0s'],
    ['1s1s', 2_000, '2s'],
    ['3m2h', 7_380_000, '2h3m0s'],
  ])('%s', (text, milliseconds, printed) => {
    expect(parseDuration(text)).toBe(milliseconds);
    expect(printDuration(milliseconds)).toBe(printed);
  });
});

describe('what is no duration', () => {
  test.each(['', '-', '30', '1.5', 's', '.s', '1 s', ' 1s', '1d', '1S', '1s2', '--1s', '1h-1m'])(
    '"%s"',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  );
  test('more than 292 years', () => {
    expect(parseDuration('2562047h')).toBe(2_562_047 * 3_600_000);
    expect(parseDuration('2562048h')).toBeUndefined();
  });
  test('a name that objects inherit', () => expect(parseDuration('1constructor')).toBeUndefined());
});

test('what is printed is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (microseconds) => {
      const milliseconds = microseconds / 1000;
      expect(parseDuration(printDuration(milliseconds))).toBe(
        milliseconds === 0 ? 0 : milliseconds,
      );
    }),
  );
});
