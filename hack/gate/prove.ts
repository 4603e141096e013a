/**
 * Proves that the gate can fail: makes a small project of the same form, on which every check passes, plants one fault at a
 * time, and sees the one check fail that should, with the words that should. Run by `npm run gate:prove`, part of verify.
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Fault, faults, sound } from './faults.ts';

const { scripts, type } = JSON.parse(readFileSync('package.json', 'utf8')) as Package;
const settings = [
  'tsconfig.json',
  'hack/format.json',
  'hack/lint.json',
  'hack/dead.json',
  'hack/vitest.config.ts',
];
const checks = [...new Set(faults.map(({ check }) => check))];
const place = mkdtempSync(join(tmpdir(), 'gate-'));
const complaints: string[] = [];
try {
  await inPairs(checks, provePasses);
  if (complaints.length === 0) await inPairs(faults, proveFails);
} finally {
  rmSync(place, { recursive: true });
}
for (const complaint of complaints) console.error(complaint);
if (complaints.length === 0) console.log(`${faults.length} planted faults, each seen by its check`);
else process.exitCode = 1;

type Package = {
  readonly type: string;
  readonly scripts: Readonly<Record<string, string>>;
};
type Outcome = { readonly failed: boolean; readonly output: string };

/** Two at a time: more would wait for each other. */
async function inPairs<T>(
  items: readonly T[],
  prove: (item: T) => Promise<string | undefined>,
): Promise<void> {
  const rest = items.values();
  await Promise.all([work(), work()]);

  async function work(): Promise<void> {
    for (const item of rest) {
      const complaint = await prove(item);
      if (complaint !== undefined) complaints.push(complaint);
    }
  }
}

async function provePasses(check: string): Promise<string | undefined> {
  const { failed, output } = await runCheck(check, project(`sound-${check}`, {}));
  return failed ? `${check} fails on a project without a fault:\n${output}` : undefined;
}

async function proveFails({ name, check, files, says }: Fault): Promise<string | undefined> {
  const folder = project(name.replaceAll(/\W/g, '-'), files);
  const { failed, output } = await runCheck(check, folder);
  if (!failed) return `${check} does not see ${name}`;
  return says.test(output)
    ? undefined
    : `${check} fails on ${name}, but does not say ${says}:\n${output}`;
}

/** Makes the sound project with some files changed or added; undefined takes one away. */
function project(name: string, changes: Readonly<Record<string, string | undefined>>): string {
  const folder = join(place, name);
  for (const [path, content] of Object.entries({ ...sound, ...changes })) {
    if (content === undefined) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type, devDependencies: { vitest: '*' } }),
  );
  for (const path of settings) cpSync(path, join(folder, path));
  symlinkSync(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function runCheck(check: string, folder: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  // The planted tests must not be reported as the project's.
  const env = { ...process.env, TEST_REPORT: undefined };
  // The layers' check and the launcher are this checkout's own: they look at the folder they are started in.
  const command = scripts[check]?.replaceAll(/hack\/(run|gate)/g, `${process.cwd()}/hack/$1`);
  execFile('sh', ['-c', command ?? 'exit 0'], { cwd: folder, env }, (error, stdout, stderr) =>
    resolve({ failed: error !== null, output: stdout + stderr }),
  );
  return promise;
}
