/**
 * What the program costs, beside a floor that is measured in the same run: `npm run bench -- [--full] [--only PART]…`.
 * Prints Markdown, and fails if a single change costs more in a larger cluster. `docs/benchmarks.md` says what the parts mean.
 */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { benchAudit } from './audit.ts';
import { benchChanges, benchCounts } from './change.ts';
import { benchEncoding } from './encode.ts';
import { benchFirstSync } from './first-sync.ts';
import { benchProgram } from './program.ts';
import { inFolder, prepareFloor, prepareMeasurements, type Size } from './run.ts';

const names = ['first-sync', 'audit', 'changes', 'counts', 'encoding', 'program'] as const;
const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
  },
});
for (const name of values.only)
  if (!names.some((known) => known === name)) throw new Error(`--only takes ${names.join(', ')}`);

const sizes: readonly Size[] = [
  { services: 100, endpoints: 10 },
  { services: 1_000, endpoints: 10 },
  ...(values.full ? [{ services: 10_000, endpoints: 10 }] : []),
];

await inFolder(async (folder) => {
  const isWanted = (name: (typeof names)[number]) =>
    values.only.length === 0 || values.only.includes(name);
  await prepareMeasurements();
  const floor = prepareFloor(folder);
  const rounds = ({ services }: Size) => Number(values.rounds ?? (services > 1_000 ? 1 : 3));
  console.log(`# Bench on Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}`);
  const complaints: string[] = [];
  if (isWanted('first-sync')) complaints.push(...benchFirstSync(sizes, { folder, floor, rounds }));
  if (isWanted('audit')) benchAudit(sizes, { folder, floor });
  if (isWanted('changes')) benchChanges(sizes, folder);
  if (isWanted('counts')) complaints.push(...benchCounts(sizes, folder));
  if (isWanted('encoding')) benchEncoding({ folder, floor });
  if (isWanted('program')) await benchProgram(sizes, folder);
  for (const complaint of complaints) console.error(`FAILED: ${complaint}`);
  if (complaints.length > 0) process.exitCode = 1;
});
