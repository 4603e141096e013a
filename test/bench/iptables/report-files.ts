import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawPlot, plots, seriesOf } from './plot.ts';
import { report } from './report.ts';
import { parseResults } from './results.ts';
import { Summary } from './summary.ts';

const begin = '<!-- bench:iptables: made by "npm run bench:iptables -- --report" -->';
const end = '<!-- bench:iptables: end -->';

/** Writes tables and plots of a file of results into `docs/` of the folder `top`. */
export function writeReport({ top, results }: { top: string; results: string }): void {
  const summary = new Summary(parseResults(readFileSync(results, 'utf8')));
  const docs = join(top, 'docs');
  const drawn = plots.flatMap((plot) => {
    const series = seriesOf(summary, plot.measure);
    const file = `benchmarks/${plot.name}.svg`;
    return series.length === 0 ? [] : [{ file, title: plot.title, svg: drawPlot(plot, series) }];
  });
  mkdirSync(join(docs, 'benchmarks'), { recursive: true });
  for (const { file, svg } of drawn) writeFileSync(join(docs, file), svg);
  const page = join(docs, 'benchmarks.md');
  const rollout = rolloutTable(readFileSync(join(docs, 'graceful-termination.md'), 'utf8'));
  writeFileSync(
    page,
    replaceBetween(readFileSync(page, 'utf8'), report(summary, { rollout, plots: drawn })),
  );
}

/** The page with another text between the marks; throws if it has none. */
export function replaceBetween(page: string, text: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page has no "${begin}" with an end below`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

/** The table of requests that failed in rolling updates; throws if the document has none. */
export function rolloutTable(document: string): string {
  const found = /^\| load \| ours.*\n(?:\|.*\n)+/m.exec(document)?.[0];
  if (found === undefined) throw new Error('the document has no table of requests by load');
  return found.trimEnd();
}
