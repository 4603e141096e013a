import { expect, test } from 'vitest';
import { Report } from './report.ts';

function told(tell: (report: Report) => void, isColoured = false): string {
  let text = '';
  const report = new Report({ isColoured, write: (more) => (text += more) });
  tell(report);
  return text.replaceAll(/\d+\.\d s/g, '1.0 s');
}

test('every check is reported in the summary, and the verdict counts them', () => {
  const text = told((report) => {
    report.check(true, 'one');
    report.check(true, 'two');
    report.summary();
  });
  expect(text).toBe('\nSummary  1.0 s\n  ✓ one\n  ✓ two\n\nAll 2 hold.\n');
});

test('a check that fails is reported at once, again in the summary, and the report is not good', () => {
  let isGood: boolean | undefined;
  const text = told((report) => {
    report.check(true, 'one');
    report.check(false, 'two');
    report.summary();
    ({ isGood } = report);
  });
  expect(text).toBe('  ✗ two\n\nSummary  1.0 s\n  ✓ one\n  ✗ two\n\n1 of 2 FAILED.\n');
  expect(isGood).toBe(false);
});

test('columns of a table are as wide as their widest cell', () => {
  const text = told((report) =>
    report.table([
      ['A', 'B'],
      ['long', ''],
      ['', 'x'],
    ]),
  );
  expect(text).toBe('  A     B\n  long\n        x\n');
});

test('only a reader with a terminal is sent colours', () => {
  expect(told((report) => report.command('ls'))).toBe('  $ ls\n');
  expect(told((report) => report.command('ls'), true)).toContain('\u001B[36mls');
});

test('who is silenced says nothing, and still knows what failed', () => {
  let isGood: boolean | undefined;
  const text = told((report) => {
    report.line('before');
    report.silence();
    report.check(false, 'after');
    ({ isGood } = report);
  });
  expect(text).toBe('before\n');
  expect(isGood).toBe(false);
});
