import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './results.ts';

/** The report that is kept with the sources. */
export const keptReport = join(import.meta.dirname, 'results.json');

/**
 * The file that a run is compared with: the one that is named, or with `compare` alone {@link keptReport}; `undefined` if it is not to be
 * compared.
 */
export function comparedFile({
  compare,
  against,
}: {
  compare: boolean;
  against?: string | undefined;
}): string | undefined {
  return against ?? (compare ? keptReport : undefined);
}

/** Reads a report that `--json` wrote. Throws, with what to do, if there is none. */
export function readReport(file: string): Report {
  if (!existsSync(file))
    throw new Error(
      `nothing to compare with: there is no ${file}; "npm run bench:growth -- --json FILE" makes such a file, and --against names one`,
    );
  const report = JSON.parse(readFileSync(file, 'utf8')) as Partial<Report>;
  if (typeof report.machine !== 'string' || !Array.isArray(report.results))
    throw new Error(`nothing to compare with: ${file} is no report of bench:growth`);
  return { machine: report.machine, results: report.results };
}
