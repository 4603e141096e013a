import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

// Where this process may not do what it must, the program says what is missing and ends. What a kernel lacks is tested on one
// (test/kernel/missing-support.test.ts).

const program = fileURLToPath(new URL('../../hack/kube-proxy', import.meta.url));
const manifest = fileURLToPath(new URL('missing-support.test.ts', import.meta.url));

/** Runs the program with no capability, whoever runs the test. */
function runUnprivileged(): { status: number | null; stdout: string; stderr: string } {
  const argv = [program, '--ipvs-manifests', manifest];
  const isRoot = process.getuid?.() === 0;
  const dropped = ['setpriv', '--inh-caps=-all', '--bounding-set=-all', ...argv];
  const [command = '', ...words] = isRoot ? dropped : argv;
  return spawnSync(command, words, { encoding: 'utf8', timeout: 30_000 });
}

test('one line says which capability is missing, with status 1', () => {
  const { status, stdout, stderr } = runUnprivileged();
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^kube-proxy: needs the capability CAP_NET_ADMIN.*\n$/);
});
