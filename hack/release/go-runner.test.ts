import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
      {
        stdout: '',
        stderr: 'go-runner: flags without effect: -log-file-size -log-file-age -flush-interval\n',
        file: 'out\nerr\n',
      },
    ],
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

test.each<[string, string[], string[], number, string]>([
  ['an unknown flag', ['--log-dir=/'], both, 2, 'flag provided but not defined: -log-dir'],
  ['a missing value', ['--log-file'], [], 2, 'flag needs an argument: -log-file'],
  ['no boolean', ['--also-stdout=so'], both, 2, 'invalid boolean value "so" for -also-stdout'],
  ['no program', ['--log-file=LOG', '--'], [], 1, 'not enough arguments to run'],
  ['a file in no folder', ['--log-file=LOG/log'], both, 1, 'cannot write /log/log'],
])('%s is refused', (_, flags, program, status, message) => {
  const refused = run(flags, program);
  expect([refused.status, refused.stdout]).toEqual([status, '']);
  expect(refused.stderr).toContain(`go-runner: ${message}\n`);
});

describe.each([[['--log-file=LOG']], [['--log-file=LOG', '--also-stdout']]])('with %j', (flags) => {
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
