import { describe, expect, test } from 'vitest';
import { parseSize, printReport, type Report, type Result, regressions } from './results.ts';

const cost: Omit<Result, 'kind' | 'size'> = {
  vipBinding: 'address',
  runs: 3,
  wall: 400,
  cpu: 300,
  messages: 1_000,
  calls: 100,
  inCalls: 40,
  delay: { p50: 1, p99: 5, max: 20 },
  allocated: 2 ** 20,
  peak: 80 * 2 ** 20,
  resting: 70 * 2 ** 20,
};

function report(over: Partial<Result> = {}): Report {
  const small: Result = { ...cost, kind: 'first-sync', size: '100x10', floor: 100 };
  const large: Result = { ...small, size: '1000x10', cpu: 3_000, wall: 4_000, floor: 1_000 };
  return { machine: 'Linux', results: [small, { ...large, ...over }] };
}

test('a size is Services and endpoints of each', () => {
  expect(parseSize('10000x5')).toEqual({ services: 10_000, endpoints: 5 });
  for (const text of ['', '10', 'x', '10x', '1x2x3', '-1x2'])
    expect(() => parseSize(text)).toThrow('not a size such as 1000x10');
});

test('a table for each size, with the rules left out of the ratio', () => {
  const others = { 'ipset restore': 360, 'ipvsadm -R': 6_000 };
  const text = printReport(report({ rules: 1_000, others }));
  const lines = text.split('\n');
  expect(lines[0]).toBe('Linux.');
  expect(lines.filter((line) => line.startsWith('###'))).toEqual([
    '### 100x10, VIPs by address, 3 runs',
    '### 1000x10, VIPs by address, 3 runs',
  ]);
  expect(lines.filter((line) => line.startsWith('| first-sync'))).toEqual([
    '| first-sync | 400.0 ms | 4.00 × | 300.0 ms | – | 1000 | 100 | 40.0 ms | 1.00 ms / 5.00 ms / 20.0 ms | 1.0 | 80 | 70 |',
    '| first-sync | 4.00 s | 3.00 × | 3.00 s | – | 1000 | 100 | 40.0 ms | 1.00 ms / 5.00 ms / 20.0 ms | 1.0 | 80 | 70 |',
  ]);
  expect(lines.at(-1)).toBe(
    'Parts of the same state by other programs: ipset restore 360.0 ms (0.12 × ours), ipvsadm -R 6.00 s (2.00 × ours).',
  );
});

test('what was deleted and added again is beside the first time', () => {
  const text = printReport(report({ kind: 'recreate', adding: { first: 100, again: 250 } }));
  expect(text.split('\n').at(-1)).toBe(
    'Writing the servers again that were deleted: 250.0 ms, 2.50 × the first writing of them.',
  );
});

describe('compared with an earlier report', () => {
  test.each<[string, Partial<Result>, readonly string[]]>([
    ['the same', {}, []],
    ['a machine that is twice as slow throughout', { wall: 8_000, floor: 2_000 }, []],
    ['a fifth more', { wall: 4_800 }, []],
    ['better', { wall: 1_000, messages: 1, calls: 1, cpu: 30 }, []],
    [
      'the ratio to the floor',
      { wall: 6_000 },
      ['first-sync at 1000x10, VIPs by address, of the floor: 6.00, was 4.00'],
    ],
    [
      'messages',
      { messages: 1_400 },
      ['first-sync at 1000x10, VIPs by address, messages: 1400.00, was 1000.00'],
    ],
    [
      'calls',
      { calls: 140 },
      ['first-sync at 1000x10, VIPs by address, calls: 140.00, was 100.00'],
    ],
    [
      'growth',
      { cpu: 4_500 },
      ['first-sync at 1000x10, VIPs by address, CPU by that at 100x10: 15.00, was 10.00'],
    ],
    ['a size that was not measured before', { size: '5000x10', wall: 9_999 }, []],
  ])('%s', (_, over, complaints) => {
    expect(regressions(report(over), report())).toEqual(complaints);
  });

  test('on a machine that is slower throughout, growth is the same', () => {
    const slower = report().results.map((result) => ({ ...result, cpu: result.cpu * 3 }));
    expect(regressions({ machine: 'Linux', results: slower }, report())).toEqual([]);
  });

  test('adding again is compared with the first adding', () => {
    const again = (milliseconds: number) =>
      report({ kind: 'recreate', adding: { first: 100, again: milliseconds } });
    expect(regressions(again(250), again(200))).toEqual([]);
    expect(regressions(again(300), again(200))).toEqual([
      'recreate at 1000x10, VIPs by address, of the first writing: 3.00, was 2.00',
    ]);
  });

  test('a count that was nought is compared, too', () => {
    expect(regressions(report({ calls: 1 }), report({ calls: 0 }))).toEqual([
      'first-sync at 1000x10, VIPs by address, calls: 1.00, was 0.00',
    ]);
  });

  test('growth is from the smallest size, in whatever order they were measured', () => {
    const backwards = (cpu: number): Report => ({
      machine: 'Linux',
      results: report({ cpu }).results.toReversed(),
    });
    expect(regressions(backwards(4_500), backwards(3_000))).toEqual([
      'first-sync at 1000x10, VIPs by address, CPU by that at 100x10: 15.00, was 10.00',
    ]);
  });

  test('VIPs by address are not compared with VIPs by route', () => {
    expect(regressions(report({ messages: 9_999, vipBinding: 'route' }), report())).toEqual([]);
  });

  test('with nothing in common it fails', () => {
    const elsewhere: Report = {
      machine: 'Linux',
      results: report().results.map((result) => ({ ...result, vipBinding: 'route' })),
    };
    expect(regressions(elsewhere, report())).toEqual([
      'nothing was measured that the other report has',
    ]);
  });
});
