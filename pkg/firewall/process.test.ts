import { expect, test } from 'vitest';
import { runProcess } from './process.ts';

const timeout = 4_000;

test('input goes in, both outputs and the status come out', async () => {
  const result = await runProcess('sh', ['-c', 'cat; echo problem >&2; exit 3'], {
    input: 'some text',
    timeout,
  });
  expect(result).toEqual({ status: 3, stdout: 'some text', stderr: 'problem\n' });
});

test('a program that reads nothing may be given much', async () => {
  const input = 'x'.repeat(1_000_000);
  expect((await runProcess('true', [], { input, timeout })).status).toBe(0);
});

test('characters of several bytes come whole, wherever the output is cut', async () => {
  const input = `x${'é'.repeat(200_000)}`;
  expect((await runProcess('cat', [], { input, timeout })).stdout === input).toBe(true);
});

test('a program that does not exist is ENOENT', async () => {
  await expect(runProcess('no-such-program', [], { timeout })).rejects.toThrow(
    'run no-such-program: ENOENT',
  );
});

test('a program that takes too long is killed', async () => {
  await expect(runProcess('sleep', ['60'], { timeout: 20 })).rejects.toThrow(
    'run sleep: ETIMEDOUT (killed after 20 ms)',
  );
});

test.each(['', ' >&2'])(
  'a program that prints more than it may is killed: yes%s',
  async (where) => {
    await expect(
      runProcess('sh', ['-c', `exec yes${where}`], { timeout, limit: 100_000 }),
    ).rejects.toThrow('run sh: EMSGSIZE (it printed more than 100000 bytes)');
  },
);

test('a program may print as much as the limit', async () => {
  const { stdout } = await runProcess('printf', ['four'], { timeout, limit: 4 });
  expect(stdout).toBe('four');
});

test('messages come in English', async () => {
  const { stdout } = await runProcess('sh', ['-c', 'echo $LC_ALL'], { timeout });
  expect(stdout).toBe('C\n');
});
