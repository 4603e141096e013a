import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'standard-error-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A process that logs 20 MB, says so on standard output, and ends when its standard input does. */
const script = `
  import { createLogger } from ${JSON.stringify(new URL('log.ts', import.meta.url).href)};
  const log = createLogger({ format: 'text', verbosity: 4 });
  log.info('first');
  for (let count = 0; count < 20_000; count++) log.v(4).info('x'.repeat(1000), { count });
  process.stdout.write('done ' + JSON.stringify(log.lost()));
  process.stdin.resume().on('end', () => {
    log.end('last');
    process.exit(0);
  });
`;

function start(stderr: 'pipe' | number) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', stderr],
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  return { child, stdin, stdout };
}

test('a socket that nobody reads does not stop the program; what is read later says what is missing', async () => {
  const { child, stdin, stdout } = start('pipe');
  const [said] = (await once(stdout, 'data')) as [Buffer];
  expect(said.toString()).toMatch(/^done \{"leftOut":0,"dropped":1\d{4}\}$/);
  let log = '';
  child.stderr?.on('data', (bytes: Buffer) => (log += bytes.toString()));
  stdin.end();
  expect(await once(child, 'close')).toEqual([0, null]);
  const lines = log.split('\n');
  expect(lines[0]).toContain('"first"');
  expect(lines.at(-3)).toMatch(/"dropped log lines that nobody read" count=1\d{4}$/);
  expect(lines.at(-2)).toBe('last');
});

test('a pipe that nobody reads does not stop the program, nor its end', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const { child, stdin, stdout } = start(writer);
  const [said] = (await once(stdout, 'data')) as [Buffer];
  expect(said.toString()).toMatch(/^done \{"leftOut":0,"dropped":1\d{4}\}$/);
  stdin.end();
  expect(await once(child, 'close')).toEqual([0, null]);
  const beginning = Buffer.alloc(4096);
  readSync(reader, beginning);
  expect(beginning.toString()).toContain('"first"');
  for (const fd of [reader, writer]) closeSync(fd);
});

test('a file is continued, and gets everything', async () => {
  const path = join(folder, 'file');
  const fd = openSync(path, 'w');
  const { child, stdin, stdout } = start(fd);
  stdout.resume();
  stdin.end();
  expect(await once(child, 'close')).toEqual([0, null]);
  closeSync(fd);
  const lines = readFileSync(path, 'utf8').split('\n');
  expect([lines.length, lines[0], lines.at(-2)]).toEqual([
    20_003,
    expect.stringContaining('first'),
    'last',
  ]);
});
