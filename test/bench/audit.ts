import {
  inNamespace,
  measure,
  median,
  type prepareFloor,
  printRatio,
  printSize,
  printTime,
  type Size,
  table,
} from './run.ts';
import { type Lap, type Part, parts } from './stopwatch.ts';

type Audit = Readonly<Record<Part, Lap>> & { readonly total: number };

/** How many audits are looked at. */
const count = 3;

/** Audits that find nothing, and what the kernel alone takes for the same reads. */
export function benchAudit(
  sizes: readonly Size[],
  { folder, floor }: { folder: string; floor: ReturnType<typeof prepareFloor> },
): void {
  const rows = sizes.map((size) => {
    inNamespace((namespace) => measure(namespace, 'record', { folder, ...size }));
    const floorTime = inNamespace((namespace) => floor(namespace, size).audit);
    const audits = inNamespace((namespace) =>
      measure<readonly Audit[]>(namespace, 'audit', { folder, ...size, count }),
    );
    const total = median(audits.map((audit) => audit.total));
    const reading = (part: Part) => printTime(median(audits.map((audit) => audit[part].reading)));
    const writes = audits.reduce(
      (all, audit) => all + parts.reduce((sum, part) => sum + audit[part].writes, 0),
      0,
    );
    return [
      printSize(size),
      printTime(floorTime),
      printTime(total),
      printRatio(total, floorTime),
      ...parts.map(reading),
      String(writes),
    ];
  });
  console.log('\n## An audit that finds nothing\n');
  console.log(table(['', 'floor', 'audit', 'ratio', ...parts, 'writes'], rows));
}
