import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

// What is installed is what was reviewed: exact versions, each with its hash, and no scripts of others.

type Versions = Readonly<Record<string, string>>;

interface Locked {
  readonly integrity?: string;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

test.each(['package.json', 'test/apiserver/package.json'])('%s has exact versions', (path) => {
  const kinds = readJson<Record<string, Versions | undefined>>(path);
  const versions = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
    Object.entries(kinds[kind] ?? {}),
  );
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

/** Whether a package is installed anywhere where this program runs: of others `hack/lock.ts` knows the names alone. */
function isForUs({ os = ['linux'], cpu = ['x64'], libc = ['glibc'] }: Locked): boolean {
  const isForCpu = cpu.includes('x64') || cpu.includes('arm64');
  return os.includes('linux') && isForCpu && libc.includes('glibc');
}

test('the lock file has a SHA-512 of each package that is not ours', () => {
  const { packages } = readJson<{ packages: Readonly<Record<string, Locked>> }>(
    'package-lock.json',
  );
  const fetched = Object.entries(packages).filter(
    ([folder, locked]) =>
      folder.includes('node_modules/') && locked.link !== true && isForUs(locked),
  );
  expect(fetched.length).toBeGreaterThan(100);
  const unknown = fetched.filter(([, { integrity = '' }]) => !integrity.startsWith('sha512-'));
  expect(unknown.map(([folder]) => folder)).toEqual([]);
});

test('scripts of packages do not run', () => {
  expect(readFileSync('.npmrc', 'utf8').split('\n')).toContain('ignore-scripts=true');
});

let tools: string;

beforeEach(() => {
  tools = mkdtempSync(join(tmpdir(), 'tools-'));
});

afterEach(() => rmSync(tools, { recursive: true }));

test.each([
  ['nothing is known', 'echo found 0 vulnerabilities', 0, ''],
  ['something is known', 'echo 1 high severity vulnerability; exit 1', 1, '1 high severity'],
  [
    'the registry does not answer',
    '[ $1 = config ] && echo https://registry.example/ && exit; echo npm error audit endpoint returned an error; exit 1',
    0,
    'skipped: https://registry.example/ answers no audits',
  ],
])('the audit, where %s', (_, npm, status, said) => {
  const path = join(tools, 'npm');
  writeFileSync(path, `#!/bin/sh\n${npm}\n`);
  chmodSync(path, 0o755);
  const PATH = [tools, process.env['PATH']].join(delimiter);
  const run = spawnSync(join('hack', 'audit.sh'), { encoding: 'utf8', env: { PATH } });
  expect(run.status).toBe(status);
  expect(run.stderr).toContain(said);
});
