/**
 * Proves that the gate can fail: makes a small project of the same form, on which every check passes, plants faults, and sees the
 * check fail that should, with words about each. Faults of one check are planted together where they change different files, as
 * starting a check takes longer than what it does. Run by `npm run gate:prove`, part of `hack/test.sh gate`.
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
  if (complaints.length === 0) await inPairs(checks.flatMap(projectsOf), proveFails);
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
  prove: (item: T) => Promise<readonly string[]>,
): Promise<void> {
  const rest = items.values();
  await Promise.all([work(), work()]);

  async function work(): Promise<void> {
    for (const item of rest) {
      complaints.push(...(await prove(item)));
    }
  }
}

/** The faults of a check, in as few projects as it takes that no two change the same file. */
function projectsOf(check: string): readonly Fault[][] {
  const projects: Fault[][] = [];
  for (const fault of faults.filter((one) => one.check === check)) {
    const place = projects.find((others) => others.every((other) => areApart(other, fault)));
    if (place === undefined) projects.push([fault]);
    else place.push(fault);
  }
  return projects;
}

function areApart(one: Fault, other: Fault): boolean {
  if (one.isAlone || other.isAlone) return false;
  return Object.keys(one.files).every((file) => !(file in other.files));
}

async function provePasses(check: string): Promise<readonly string[]> {
  const { failed, output } = await runCheck(check, project(`sound-${check}`, {}));
  return failed ? [`${check} fails on a project without a fault:\n${output}`] : [];
}

async function proveFails(planted: readonly Fault[]): Promise<readonly string[]> {
  const [{ check, name } = { check: '', name: '' }] = planted;
  const files = Object.assign({}, ...planted.map((fault) => fault.files)) as Fault['files'];
  const { failed, output } = await runCheck(check, project(name.replaceAll(/\W/g, '-'), files));
  if (!failed) return planted.map((fault) => `${check} does not see ${fault.name}`);
  return planted
    .filter(({ says }) => !says.test(output))
    .map((fault) => `${check}: nothing about ${fault.name} (${fault.says}) in:\n${output}`);
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
  // Nothing else of the environment: CI and FORCE_COLOR change what a check prints, and TEST_REPORT would report planted tests.
  const { PATH, HOME, TMPDIR } = process.env;
  const env = { PATH, HOME, TMPDIR, NO_COLOR: '1' };
  // The layers' check and the launcher are this checkout's own: they look at the folder they are started in.
  const command = scripts[check]?.replaceAll(/hack\/(run|gate)/g, `${process.cwd()}/hack/$1`);
  execFile('sh', ['-c', command ?? 'exit 0'], { cwd: folder, env }, (error, stdout, stderr) =>
    resolve({ failed: error !== null, output: stdout + stderr }),
  );
  return promise;
}
