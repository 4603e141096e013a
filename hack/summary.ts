/**
 * What all test runs came to, in one line: `node hack/summary.ts PART=STATUS=REPORT…`, with the exit status of each run and the file
 * with vitest's JSON report. A run that failed without a failed test in its report (it died, a check of the gate failed) counts as one.
 * `PART=STATUS=` is a run that has no report: all of it is one test.
 */
import { existsSync, readFileSync } from 'node:fs';

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };
type Report = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly TestFile[];
};
type TestFile = { readonly status: string; readonly assertionResults: readonly unknown[] };

const parts = process.argv.slice(2).map(countPart);
const passed = sum(parts, 'passed');
const failed = sum(parts, 'failed');
const skipped = sum(parts, 'skipped');
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (failed > 0 || passed === 0) process.exitCode = 1;

function countPart(argument: string): Counts {
  const [part = '', status = '', path = ''] = argument.split('=');
  if (path === '') {
    console.log(`${part}: exit status ${status}`);
    return { passed: Number(status === '0'), failed: Number(status !== '0'), skipped: 0 };
  }
  const counts = existsSync(path) ? countReport(path) : { passed: 0, failed: 0, skipped: 0 };
  const isSilent = counts.failed === 0 && (status !== '0' || counts.passed === 0);
  const died = existsSync(path) ? '' : ', no report';
  console.log(
    `${part}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, exit status ${status}${died}`,
  );
  return isSilent ? { ...counts, failed: 1 } : counts;
}

/** A file that cannot be loaded has no tests, and counts as one that failed. */
function countReport(path: string): Counts {
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

function sum(counts: readonly Counts[], key: keyof Counts): number {
  return counts.reduce((total, part) => total + part[key], 0);
}
