import { expect, test } from 'vitest';
import { drawPlot, plots, seriesOf } from './plot.ts';
import { report } from './report.ts';
import { replaceBetween, rolloutTable } from './report-files.ts';
import {
  header,
  type ModeName,
  type Outcome,
  parseResults,
  printEnvironment,
  printRow,
  type Row,
} from './results.ts';
import { Summary } from './summary.ts';

function row(mode: ModeName, measure: string, value: Outcome, over: Partial<Row> = {}): Row {
  return { run: 1, mode, services: 100, endpoints: 2, measure, value, ...over };
}

function summaryOf(...rows: readonly Row[]): Summary {
  return new Summary({ environments: ['Linux 6.1; one processor'], rows });
}

function reportOf(...rows: readonly Row[]): string {
  return report(summaryOf(...rows), { rollout: '| failed |', plots: [] });
}

test('what is written is read again', () => {
  const rows = [row('ipvs', 'program_wall_ms', 1.5), row('none', 'add_wall_ms', 'timeout')];
  const text = `${header}${printEnvironment('here')}${rows.map(printRow).join('')}${printEnvironment('here')}`;
  expect(parseResults(text)).toEqual({ environments: ['here'], rows });
});

test.each([
  '1,ipvs,100,2,x_ms,',
  '1,ipvs,100,2,x_ms,soon',
  '1,other,100,2,x_ms,3',
  '1,ipvs,100,2,x_ms',
])('a line that is no result is refused by its number: %s', (line) =>
  expect(() => parseResults(`${header}${line}`)).toThrow('line 2'),
);

test('a sample has the median of all runs and what was least and most', () => {
  const values = [5, 1, 9, 3, 7];
  const summary = summaryOf(
    ...values.map((value, run) => row('ipvs', 'program_wall_ms', value, { run })),
  );
  const place = { mode: 'ipvs', services: 100, endpoints: 2 } as const;
  expect(summary.sample(place, 'program_wall_ms')).toEqual({
    kind: 'values',
    least: 1,
    median: 5,
    most: 9,
  });
  expect(summary.runs(place)).toBe(5);
  expect(summary.sample(place, 'add_wall_ms')).toBeUndefined();
});

test('one run out of time is the result, whatever the others took', () => {
  const text = reportOf(
    row('iptables-nft', 'program_wall_ms', 10),
    row('iptables-nft', 'program_wall_ms', 'timeout'),
  );
  expect(text).toContain('| 100 × 2 | time | not in time | 2 |');
});

test('the environment comes first, and failed requests before speed', () => {
  const text = reportOf(row('ipvs', 'program_wall_ms', 10));
  expect(text.split('\n')[0]).toBe('Linux 6.1; one processor');
  expect(text.indexOf('| failed |')).toBeLessThan(text.indexOf('10.0 ms'));
  expect(text.indexOf('| failed |')).toBeGreaterThan(0);
});

test('a run that failed is named, and the others give the value', () => {
  const text = reportOf(
    row('nftables', 'program_wall_ms', 10),
    row('nftables', 'program_wall_ms', 'failed', { run: 2 }),
    row('nftables', 'add_wall_ms', 'failed'),
  );
  expect(text).toContain('- nftables, 100 × 2, run 2: program_wall_ms');
  expect(text).toContain('| time | 10.0 ms (10.0 ms–10.0 ms) | 1 |');
  expect(text).toContain('| 100 × 2 | time | failed |');
});

test.each([
  ['fewer than five runs are said', 4, 1, true],
  ['five runs are enough', 5, 1, false],
  ['one run is enough of what ran out of time', 1, 'timeout', false],
] as const)('%s', (_, runs, value, isSaid) => {
  const rows = Array.from({ length: runs }, (_, run) =>
    row('ipvs', 'program_wall_ms', value, { run }),
  );
  expect(reportOf(...rows).includes('fewer than 5 runs')).toBe(isSaid);
});

test('where another mode is better it is said, with how many times', () => {
  const text = reportOf(
    row('ipvs', 'program_wall_ms', 30),
    row('iptables-legacy', 'program_wall_ms', 10),
    row('ipvs', 'crr_32_per_s', 1000),
    row('iptables-legacy', 'crr_32_per_s', 1200),
    row('ipvs', 'change_wall_ms', 1),
    row('iptables-legacy', 'change_wall_ms', 5),
  );
  expect(text).toContain('- **iptables-legacy**, writing everything: 100 × 2 (3.00 ×)');
  expect(text).toContain('a connection each, 32 clients: 100 × 2 (1.20 ×)');
  expect(text).not.toContain('**iptables-legacy**, changing');
});

test.each([
  [100, 200, 'IPVS (2.00 ×)'],
  [100, 50, 'iptables (2.00 ×)'],
  [100, 102, 'level (0.98 ×)'],
])('of connect times %i and %i it is said who is faster', (ours, theirs, words) => {
  const text = reportOf(
    row('ipvs', 'connect_middle_p50_us', ours),
    row('iptables-nft', 'connect_middle_p50_us', theirs),
  );
  expect(text).toContain(`| 100 | ${words} |`);
});

test('what was published is quoted with its source, its year and what it says of versions', () => {
  const text = reportOf(row('ipvs', 'connect_middle_p50_us', 100));
  const quote = text.split('\n').find((line) => line.includes('forwards faster at 100 and 500'));
  for (const words of ['https://', 'UCloud', 'December 2019', 'versions'])
    expect(quote).toContain(words);
});

test('a plot has a line for each mode, readable in light and in dark', () => {
  const summary = summaryOf(
    ...([1, 100, 1000] as const).flatMap((services) => [
      row('ipvs', 'program_wall_ms', services, { services }),
      row('nftables', 'program_wall_ms', services * 2, { services }),
      row('iptables-nft', 'program_wall_ms', 'timeout', { services }),
    ]),
  );
  const series = seriesOf(summary, 'program_wall_ms');
  expect(series.map(({ mode }) => mode)).toEqual(['ipvs', 'nftables']);
  const svg = drawPlot({ title: 'Writing', unit: 'ms' }, series);
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(svg.match(/<circle/g)).toHaveLength(6);
  expect(svg).toContain('prefers-color-scheme:dark');
  expect(svg).not.toContain('NaN');
  // Twice as long is higher up.
  const [ours = '', theirs = ''] = [...svg.matchAll(/points="([^"]+)"/g)].map(([, text]) => text);
  expect(Number(theirs.split(/[ ,]/)[1])).toBeLessThan(Number(ours.split(/[ ,]/)[1]));
});

test('each plot shows a measure with a name of its own', () => {
  expect(new Set(plots.map(({ name }) => name)).size).toBe(plots.length);
});

test('the text of a page is replaced between its marks only', () => {
  const begin = '<!-- bench:iptables: made by "npm run bench:iptables -- --report" -->';
  const end = '<!-- bench:iptables: end -->';
  expect(replaceBetween(`a\n${begin}\nold\n${end}\nb`, 'new')).toBe(
    `a\n${begin}\n\nnew\n\n${end}\nb`,
  );
  expect(() => replaceBetween('a page', 'new')).toThrow('the page has no');
});

test('the table of failed requests is found by its head', () => {
  expect(rolloutTable('x\n\n| load | ours: rr |\n|---|---|\n| short | 1 / 0 |\n\ny')).toBe(
    '| load | ours: rr |\n|---|---|\n| short | 1 / 0 |',
  );
  expect(() => rolloutTable('x')).toThrow('no table');
});
