import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kube-proxy-'));
const broken = join(folder, 'broken');
writeFileSync(broken, 'kind: [');
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program until it ends, outside of any cluster. */
async function kubeProxy(...argv: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...argv], { env: {} });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

describe.concurrent('questions are answered on standard output', () => {
  test.for([
    [['--version'], /^Kubernetes v1\.36\.0\+ipvs\.1\n$/],
    [['--version=raw'], /^\{"major":"1","minor":"36",.*\}\n$/],
    [['--help'], /^Makes the Services .*\n\n[^]*--kubeconfig string\n/],
  ] as const)('%j', async ([argv, stdout], { expect: expectHere }) => {
    const outcome = await kubeProxy(...argv);
    expectHere(outcome).toEqual({ status: 0, stdout: expect.stringMatching(stdout), stderr: '' });
  });
});

describe.concurrent('what cannot work is said in one line, with status 1', () => {
  test.for([
    [
      ['--bogus', '-v=x'],
      'unknown flag --bogus; --v: invalid value "x": must be a whole number of 32 bits',
    ],
    [['start'], 'unexpected argument "start"'],
    [
      ['--proxy-mode=iptables', '--bind-address=x'],
      '--bind-address: KubeProxyConfiguration.bindAddress: Invalid value: "x": not a valid textual representation of an IP address; ' +
        '--proxy-mode: KubeProxyConfiguration.mode: Invalid value: "iptables": this program knows mode ipvs only',
    ],
    [
      ['--hostname-override= '],
      '--hostname-override: KubeProxyConfiguration.hostnameOverride: Invalid value: " ": must not be blank',
    ],
    [
      [
        '--healthz-bind-address=1.2.3:x',
        '--ipvs-sync-period=-1s',
        '--ipvs-exclude-cidrs=10.0.0.0/33',
        '--iptables-masquerade-bit=40',
      ],
      '--healthz-bind-address: KubeProxyConfiguration.healthzBindAddress: Invalid value: "1.2.3:x": must be a valid IP; ' +
        '--iptables-masquerade-bit: KubeProxyConfiguration.iptables.masqueradeBit: Invalid value: "40": must be within the range [0, 31]; ' +
        '--ipvs-sync-period: KubeProxyConfiguration.ipvs.syncPeriod: Invalid value: "-1s": must be greater than 0; ' +
        '--ipvs-exclude-cidrs: KubeProxyConfiguration.ipvs.excludeCIDRs[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR\n',
    ],
    [['--master=ftp://x'], '--master: "ftp://x" is no http or https URL'],
    [['--kubeconfig=/nonexistent'], 'kubeconfig /nonexistent: no such file\n'],
    [[`--kubeconfig=${folder}`], `kubeconfig ${folder}: is a folder\n`],
    [[`--kubeconfig=${broken}`], `kubeconfig ${broken}: `],
    [[], 'in-cluster credentials: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set'],
  ] as const)('%j', async ([argv, reason], { expect: expectHere }) => {
    const { status, stdout, stderr } = await kubeProxy(...argv);
    expectHere([status, stdout]).toEqual([1, '']);
    expectHere(stderr.startsWith(`kube-proxy: ${reason}`), stderr).toBe(true);
    expectHere(stderr.match(/\n/g), stderr).toHaveLength(1);
  });
});
