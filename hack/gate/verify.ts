/**
 * The gate: every check of `package.json` that needs neither root nor a kernel, two at a time. Says what passed and how long it
 * took, and prints what the failed ones said. `npm run verify`, or with names: `npm run verify lint types`.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** How long all of it may take on a quiet machine with two processors, in seconds. */
const limit = 60;

/** The longest first, so that they overlap with all others. */
const checks = ['test', 'dead', 'types', 'lint', 'layers', 'format'];

const scripts = (JSON.parse(readFileSync('package.json', 'utf8')) as Package).scripts;
const wanted = process.argv.length > 2 ? process.argv.slice(2) : checks;
const waiting = [...wanted];
const failures: string[] = [];
const started = performance.now();
await Promise.all([work(), work()]);
if (failures.length > 0) process.exitCode = 1;
const outcome = failures.length > 0 ? `FAILED: ${failures.join(', ')}` : 'all passed';
console.log(`verify: ${outcome}, ${secondsSince(started)}`);
if (performance.now() - started > limit * 1000)
  console.log(
    `verify: more than ${limit} s. If the machine was quiet, make the longest check shorter.`,
  );

type Package = { readonly scripts: Readonly<Record<string, string>> };

async function work(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await check(name);
}

async function check(name: string): Promise<void> {
  const begun = performance.now();
  const { status, output } = await run(scripts[name] ?? `echo 'no script ${name}'; exit 1`);
  if (status === 0) {
    console.log(`  ok  ${name} ${secondsSince(begun)}`);
    return;
  }
  failures.push(name);
  console.log(`FAIL  ${name} ${secondsSince(begun)}\n${output.replaceAll(/^/gm, '      ')}`);
}

function run(command: string): Promise<{ status: number; output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; output: string }>();
  const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.once('error', reject);
  child.once('close', (code) =>
    resolve({ status: code ?? 1, output: String(Buffer.concat(chunks)) }),
  );
  return promise;
}

function secondsSince(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}
