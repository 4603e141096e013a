import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawPlot, plots, seriesOf } from './plot.ts';
import { report, unmeasured } from './report.ts';
import { parseResults } from './results.ts';
import { Summary } from './summary.ts';

const begin = '<!-- bench:iptables: made by "npm run bench:iptables -- --report" -->';
const end = '<!-- bench:iptables: end -->';

/** Writes tables and plots of a file of results into `docs/` of the folder `top`; without that file, that nothing was measured. */
export function writeReport({ top, results }: { top: string; results: string }): void {
  const docs = join(top, 'docs');
  const page = join(docs, 'benchmarks.md');
  const rollout = rolloutTable(readFileSync(join(docs, 'graceful-termination.md'), 'utf8'));
  const text = existsSync(results) ? reportOf({ docs, results, rollout }) : unmeasured(rollout);
  writeFileSync(page, replaceBetween(readFileSync(page, 'utf8'), text));
}

interface Sources {
  readonly docs: string;
  readonly results: string;
  readonly rollout: string;
}

/** The text about a file of results, whose plots are written. */
function reportOf({ docs, results, rollout }: Sources): string {
  const summary = new Summary(parseResults(readFileSync(results, 'utf8')));
  const drawn = plots.flatMap((plot) => {
    const series = seriesOf(summary, plot.measure);
    const file = `benchmarks/${plot.name}.svg`;
    return series.length === 0 ? [] : [{ file, title: plot.title, svg: drawPlot(plot, series) }];
  });
  mkdirSync(join(docs, 'benchmarks'), { recursive: true });
  for (const { file, svg } of drawn) writeFileSync(join(docs, file), svg);
  return report(summary, { rollout, plots: drawn });
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
