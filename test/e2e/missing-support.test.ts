import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';

// Where the kernel cannot, or this process may not, the program says what is missing and ends. It runs without any capability
// here, so that it can neither load a module nor touch this machine.

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

function hasIpvs(): boolean {
  try {
    openIpvs({}).close();
    return true;
  } catch {
    return false;
  }
}

const missing = hasIpvs()
  ? /^kube-proxy: .*needs the capability CAP_NET_ADMIN.*\n$/
  : /^kube-proxy: .*the kernel has no IPVS: load the module ip_vs \(modprobe ip_vs\), or run a kernel with CONFIG_IP_VS.*\n$/;

test(`one line says what is missing on this machine (${hasIpvs() ? 'a capability' : 'IPVS'}), with status 1`, () => {
  const { status, stdout, stderr } = runUnprivileged();
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(missing);
});
