import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rolloutTable, writeReport } from './report-files.ts';
import { header, printEnvironment, printRow } from './results.ts';

const docs = resolve(import.meta.dirname, '../../../docs');
const [rolloutHead = ''] = rolloutTable(
  readFileSync(join(docs, 'graceful-termination.md'), 'utf8'),
).split('\n');
const environment = 'Linux 6.1.0; 2 × a processor; a virtual machine; Node v24.21.0; iptables; nft';

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'report-'));
  mkdirSync(join(top, 'docs'));
  for (const name of ['benchmarks.md', 'graceful-termination.md'])
    copyFileSync(join(docs, name), join(top, 'docs', name));
});

afterEach(() => rmSync(top, { recursive: true }));

/** The page once a report was written. */
function reported(): string {
  writeReport({ top, results: join(top, 'results.csv') });
  return readFileSync(join(top, 'docs/benchmarks.md'), 'utf8');
}

function measure(milliseconds: number): void {
  const place = { run: 1, mode: 'ipvs', services: 100, endpoints: 2 } as const;
  const row = printRow({ ...place, measure: 'program_wall_ms', value: milliseconds });
  writeFileSync(join(top, 'results.csv'), `${header}${printEnvironment(environment)}${row}`);
}

/** The first line that is seen below the title. */
function firstLine(page: string): string | undefined {
  return page.split('\n').find((line) => !/^(#.*|<!--.*-->|)$/.test(line));
}

/** Tables, each in one text, in their order. */
function tables(page: string): readonly string[] {
  return page.match(/(?:^\|.*\n)+/gm) ?? [];
}

function expectOrder(page: string): void {
  const heads = tables(page).map((text) => text.split('\n')[0]);
  const withTimes = tables(page).findIndex(
    (text) => !text.startsWith(rolloutHead) && /\d (?:ms|µs)|×/.test(text),
  );
  expect(heads.indexOf(rolloutHead)).toBeGreaterThanOrEqual(0);
  expect(heads.indexOf(rolloutHead)).toBeLessThan(withTimes);
}

test('the page as it is says first what it was measured on, and failed requests before speed', () => {
  const page = readFileSync(join(docs, 'benchmarks.md'), 'utf8');
  expect(firstLine(page)).toMatch(/^(Not measured yet\.|Linux \d.*; Node v\d.*)$/);
  expectOrder(page);
});

test('a report of results begins the page with what they were measured on', () => {
  measure(12);
  const page = reported();
  expect(firstLine(page)).toBe(environment);
  expectOrder(page);
  expect(page).toContain('| time | 12.0 ms (12.0 ms–12.0 ms) |');
});

test('a later report takes the place of the earlier one, and changes nothing else', () => {
  const before = reported();
  measure(12);
  const first = reported();
  measure(13);
  expect(reported()).toBe(first.replaceAll('12.0 ms', '13.0 ms'));
  rmSync(join(top, 'results.csv'));
  expect(reported()).toBe(before);
  expect(firstLine(before)).toBe('Not measured yet.');
});
