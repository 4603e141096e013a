import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { comparedFile, keptReport, readReport } from './baseline.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'baseline-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  ['nothing, if it is not asked for', { compare: false }, undefined],
  ['the report that is kept', { compare: true }, keptReport],
  ['another one that is named', { compare: true, against: 'a.json' }, 'a.json'],
  ['another one that is named alone', { compare: false, against: 'a.json' }, 'a.json'],
])('it is compared with %s', (_, options, file) => expect(comparedFile(options)).toBe(file));

test('the report that is kept stands beside the bench', () =>
  expect(keptReport).toMatch(/\/test\/bench\/growth\/results\.json$/));

test('a report is read as it was written', () => {
  const file = join(folder, 'results.json');
  const report = { machine: 'Linux', results: [] };
  writeFileSync(file, JSON.stringify(report));
  expect(readReport(file)).toEqual(report);
});

test('a file that is not there is named, with what makes one', () => {
  const file = join(folder, 'results.json');
  expect(() => readReport(file)).toThrow(
    `nothing to compare with: there is no ${file}; "npm run bench:growth -- --json FILE" makes such a file`,
  );
});

test.each(['{}', '{"machine":"Linux"}', '[]'])(
  'a file that holds no report is named: %s',
  (text) => {
    const file = join(folder, 'results.json');
    writeFileSync(file, text);
    expect(() => readReport(file)).toThrow(`${file} is no report of bench:growth`);
  },
);
