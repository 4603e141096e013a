import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { commands } from '../../test/support/installers.ts';

// `/go-runner` of the image, as kOps starts the program with it.

const script = 'hack/release/go-runner.sh';
let folder: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'go-runner-'));
  log = join(folder, 'log');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** The flags with the path of the log file in the place of LOG. */
function withLog(flags: readonly string[]): readonly string[] {
  return flags.map((flag) => flag.replace('LOG', log));
}

function run(flags: readonly string[], program: readonly string[] = []) {
  const argv = [...withLog(flags), ...program];
  const { status, stdout, stderr } = spawnSync(script, argv, { encoding: 'utf8' });
  return { status, stdout, stderr: stderr.replaceAll(folder, '') };
}

function logged(): string {
  return readFileSync(log, 'utf8');
}

const both = ['sh', '-c', 'echo out; echo err >&2; exit 7'];

describe('output goes where the flags say', () => {
  test.each<[string[], { stdout: string; stderr: string; file?: string }]>([
    [[], { stdout: 'out\nerr\n', stderr: '' }],
    [['--redirect-stderr=false'], { stdout: 'out\n', stderr: 'err\n' }],
    [['--log-file=LOG'], { stdout: '', stderr: '', file: 'out\nerr\n' }],
    [['-log-file', 'LOG', '--'], { stdout: '', stderr: '', file: 'out\nerr\n' }],
    [['--log-file=LOG', '--redirect-stderr=F'], { stdout: '', stderr: 'err\n', file: 'out\n' }],
    [['--log-file=LOG', '--also-stdout'], { stdout: 'out\nerr\n', stderr: '', file: 'out\nerr\n' }],
    [
      ['--log-file=LOG', '--also-stdout', '--redirect-stderr=false', '--'],
      { stdout: 'out\n', stderr: 'err\n', file: 'out\n' },
    ],
    [
      ['--log-file=LOG', '--also-stdout=false', '--redirect-stderr'],
      { stdout: '', stderr: '', file: 'out\nerr\n' },
    ],
    [['--also-stdout'], { stdout: 'out\nerr\n', stderr: '' }],
    [
      ['--log-file=LOG', '--log-file-size', '10Mi', '--log-file-age=24h', '--flush-interval=5s'],
      { stdout: '', stderr: '', file: 'out\nerr\n' },
    ],
    [
      ['--log-file=LOG', '--log-file-size=10Mi', '--also-stdout', '--redirect-stderr=false'],
      { stdout: 'out\n', stderr: 'err\n', file: 'out\n' },
    ],
    [['--log-file-size=1', '--flush-interval=1ms'], { stdout: 'out\nerr\n', stderr: '' }],
  ])('%j', (flags, { file, ...printed }) => {
    expect(run(flags, both)).toEqual({ status: 7, ...printed });
    if (file !== undefined) expect(logged()).toBe(file);
  });

  test('at the end of the file', () => {
    run(['--log-file=LOG'], both);
    run(['--log-file=LOG', '--also-stdout'], both);
    expect(logged()).toBe('out\nerr\nout\nerr\n');
  });

  test('whole, however much it is', () => {
    const { stdout } = run(['--log-file=LOG', '--also-stdout'], ['seq', '100000']);
    expect([stdout === logged(), stdout.length]).toEqual([true, 588_895]);
  });
});

describe('a file that has reached its size', () => {
  /** The names of the files, those of a rotation with their digits as 9. */
  const names = () =>
    readdirSync(folder)
      .map((name) => name.replaceAll(/\d/g, '9'))
      .toSorted();
  const everything = () =>
    readdirSync(folder)
      .toSorted()
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('');

  test.each([[[]], [['--also-stdout']]])('is renamed, and nothing is lost: %j', (more) => {
    run(['--log-file=LOG.txt', '--log-file-size=100', ...more], ['seq', '1000']);
    expect(names()).toContain('log-99999999-999999.txt');
    expect(names().at(-1)).toBe('log.txt');
    expect(everything()).toBe(
      Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join(''),
    );
  });

  test('counts what was there before', () => {
    writeFileSync(log, 'x'.repeat(1022));
    run(['--log-file=LOG', '--log-file-size=1Ki'], ['echo', 'y']);
    expect(names()).toEqual(['log', 'log-99999999-999999']);
    expect(logged()).toBe('');
  });

  test('stays below it', () => {
    run(['--log-file=LOG', '--log-file-size=1.5k'], ['head', '-c', '1499', '/dev/zero']);
    expect(names()).toEqual(['log']);
  });

  test.each([
    [[], ['log-20060102-150405.txt', 'log-20060102-150406.txt']],
    [['--log-file-age=24h30m'], ['log-20060102-150406.txt']],
  ])('takes only those away that a rotation named and that are too old: %j', (flags, rest) => {
    const others = ['other.txt', 'log-mine.txt', 'log-20060102-150405.gz'];
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
    for (const name of [...others, 'log-20060102-150405.txt', 'log-20060102-150406.txt']) {
      writeFileSync(join(folder, name), '');
      const hours = name.endsWith('6.txt') ? 24 : 25;
      utimesSync(join(folder, name), hoursAgo(hours), hoursAgo(hours));
    }
    run(['--log-file=LOG.txt', '--log-file-size=1', ...flags], ['echo', 'out']);
    const left = readdirSync(folder).filter((name) => name.includes('2006') || !/\d/.test(name));
    expect(left.toSorted()).toEqual([...others, 'log.txt', ...rest].toSorted());
  });
});

test.each<[string, string[], string[], number, string]>([
  ['an unknown flag', ['--log-dir=/'], both, 2, 'flag provided but not defined: -log-dir'],
  ['a missing value', ['--log-file'], [], 2, 'flag needs an argument: -log-file'],
  ['no boolean', ['--also-stdout=so'], both, 2, 'invalid boolean value "so" for -also-stdout'],
  ...(
    [
      ['--log-file-size=10Q', 2, 'invalid value "10Q" for flag -log-file-size: no quantity'],
      ['--log-file-size=M', 2, 'invalid value "M" for flag -log-file-size: no quantity'],
      ['--log-file-size=1.2.3k', 2, 'invalid value "1.2.3k" for flag -log-file-size: no quantity'],
      ['--log-file-size=-1', 1, 'log-file-size must be non-negative quantity'],
      ['--log-file-age=5', 2, 'invalid value "5" for flag -log-file-age: parse error'],
      ['--log-file-age=1d', 2, 'invalid value "1d" for flag -log-file-age: parse error'],
      ['--log-file-age=-5s', 1, 'log-file-age must be non-negative'],
      ['--flush-interval=', 2, 'invalid value "" for flag -flush-interval: parse error'],
    ] as const
  ).map(([flag, status, message]): [string, string[], string[], number, string] => [
    flag,
    [flag],
    both,
    status,
    message,
  ]),
  ['no program', ['--log-file=LOG', '--'], [], 1, 'not enough arguments to run'],
  ['a file in no folder', ['--log-file=LOG/log'], both, 1, 'cannot write /log/log'],
])('%s is refused', (_, flags, program, status, message) => {
  const refused = run(flags, program);
  expect([refused.status, refused.stdout]).toEqual([status, '']);
  expect(refused.stderr).toContain(`go-runner: ${message}\n`);
});

describe.each([
  [['--log-file=LOG']],
  [['--log-file=LOG', '--also-stdout']],
  [['--log-file=LOG', '--log-file-size=10Mi']],
  [['--log-file=LOG', '--flush-interval=1s']],
])('with %j', (flags) => {
  test.each([
    ['its own', ['sh', '-c', 'exit 0'], 0],
    ['of a program that is not there', ['/nonexistent'], 127],
  ])('the status is %s', (_, program, status) => {
    expect(run(flags, program).status).toBe(status);
  });

  test('flags behind the program are its own', () => {
    run(flags, ['echo', '--log-file=x', '--', '-q']);
    expect(logged()).toBe('--log-file=x -- -q\n');
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGWINCH'] as const)(
    '%s reaches the program, whose last output is written',
    async (signal) => {
      const name = signal.slice(3);
      const ended = await signalled(flags, {
        script: `trap 'echo got ${name}; exit 3' ${name}`,
        signals: [signal],
      });
      expect([ended, logged()]).toEqual([[3, null], `ready\ngot ${name}\n`]);
    },
  );

  test('signals that do not end the program are passed on as well', async () => {
    const ended = await signalled(flags, {
      script: `trap 'echo got HUP' HUP; trap 'exit 4' TERM`,
      signals: ['SIGHUP', 'SIGTERM'],
    });
    expect([ended, logged()]).toEqual([[4, null], 'ready\ngot HUP\n']);
  });
});

test('with --also-stdout a program that a signal ended is 128 and its number', () => {
  expect(run(['--log-file=LOG', '--also-stdout'], ['sh', '-c', 'kill -9 $$']).status).toBe(137);
});

test('without --also-stdout no process stays between', async () => {
  const child = start(['--log-file=LOG'], ['sh', '-c', 'echo $$']);
  await once(child, 'exit');
  expect(logged()).toBe(`${child.pid}\n`);
});

test('the pipe has no name that could stay behind', () => {
  const { stdout } = run(['--log-file=LOG', '--also-stdout'], ['readlink', '/proc/self/fd/1']);
  expect(stdout).toMatch(/\/pipe \(deleted\)\n$/);
});

test("kOps's command starts the program, and it is in the image", () => {
  const flags = ['--log-file=LOG', '--also-stdout'];
  expect(run(flags, ['hack/kube-proxy', ...commands.kops, '--version'])).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^Kubernetes v1\.37\.0\+ipvs\.\d+\n$/),
    stderr: '',
  });
  expect(readFileSync('Dockerfile', 'utf8')).toContain(
    `COPY --from=build /src/${script} /go-runner\n`,
  );
});

function start(flags: readonly string[], program: readonly string[]): ChildProcess {
  const child = spawn(script, [...withLog(flags), ...program], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Starts a shell that waits, sends it signals one after the other, each when the one before is logged, and returns how it ended. */
async function signalled(
  flags: readonly string[],
  { script: traps, signals }: { script: string; signals: readonly NodeJS.Signals[] },
): Promise<readonly unknown[]> {
  const waiting = `${traps}; echo ready; while :; do sleep 0.05; done`;
  const child = start(flags, ['sh', '-c', waiting]);
  const exit = once(child, 'exit');
  for (const [index, signal] of signals.entries()) {
    await expect.poll(() => logged().split('\n').length - 1, { timeout: 60_000 }).toBe(index + 1);
    child.kill(signal);
  }
  return await exit;
}
