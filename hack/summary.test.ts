import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'summary-'));
afterAll(() => rmSync(folder, { recursive: true }));

const good = report('good', { passed: 3 });
const red = report('red', { passed: 1, failed: 2, skipped: 1 });
const unloadable = report('unloadable', { passed: 1, files: ['failed'] });
const empty = report('empty', {});

test.each([
  { what: 'all is well', parts: [`unit=0=${good}`, `e2e=0=${good}`], line: '6 passed, 0 failed' },
  { what: 'tests fail', parts: [`unit=1=${red}`], line: '1 passed, 2 failed, 1 skipped' },
  { what: 'a file cannot be loaded', parts: [`unit=1=${unloadable}`], line: '1 passed, 1 failed' },
  { what: 'a check of the gate fails', parts: [`gate=1=${good}`], line: '3 passed, 1 failed' },
  { what: 'a run dies', parts: [`unit=0=${good}`, 'kernel=125=/none'], line: '3 passed, 1 failed' },
  { what: 'a run has no test', parts: [`unit=0=${empty}`], line: '0 passed, 1 failed' },
  {
    what: 'a run is one test',
    parts: [`unit=0=${red}`, 'demo=0='],
    line: '2 passed, 2 failed, 1 skipped',
  },
  { what: 'such a run fails', parts: [`unit=0=${good}`, 'demo=1='], line: '3 passed, 1 failed' },
  { what: 'nothing ran', parts: [], line: '0 passed, 0 failed' },
])('$what: $line', ({ parts, line }) => {
  const script = join(import.meta.dirname, 'summary.ts');
  const { stdout, status } = spawnSync(process.execPath, [script, ...parts], { encoding: 'utf8' });
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(line);
  expect(status).toBe(line === '6 passed, 0 failed' ? 0 : 1);
});

interface Content {
  readonly passed?: number;
  readonly failed?: number;
  readonly skipped?: number;
  /** States of files that hold no test. */
  readonly files?: readonly string[];
}

function report(name: string, content: Content): string {
  const path = join(folder, `${name}.json`);
  const { passed = 0, failed = 0, skipped = 0, files = [] } = content;
  const testResults = files.map((status) => ({ status, assertionResults: [] }));
  const counts = { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped };
  writeFileSync(path, JSON.stringify({ ...counts, numTodoTests: 0, testResults }));
  return path;
}
