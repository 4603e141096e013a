import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bundled } from '../../test/support/program.ts';

const program = await bundled();
const folder = mkdtempSync(join(tmpdir(), 'kube-proxy-'));
const broken = join(folder, 'broken');
writeFileSync(broken, 'kind: [');
const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const wrong = join(folder, 'wrong');
writeFileSync(wrong, `${head}mode: ipvs\noomScoreAdj: 2000\n`);
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Nothing of this process's own; what is compiled once is kept for the next start. */
const env = { NODE_COMPILE_CACHE: join(folder, 'compiled') };

/** What starts a command without any capability, whoever runs the test. */
const withoutRights =
  process.getuid?.() === 0 ? ['/usr/bin/setpriv', '--inh-caps=-all', '--bounding-set=-all'] : [];

/** Runs the program until it ends, outside of any cluster. */
async function kubeProxy(...argv: string[]): Promise<Outcome> {
  return await outcomeOf([process.execPath, program, ...argv]);
}

async function outcomeOf([command = '', ...argv]: readonly string[]): Promise<Outcome> {
  const child = spawn(command, argv, { env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

describe.concurrent('questions are answered on standard output', () => {
  test.for([
    [['--version'], /^Kubernetes v1\.37\.0\+ipvs\.1\n$/],
    [['--version=raw'], /^\{"major":"1","minor":"37",.*\}\n$/],
    [['--help'], /^Makes the Services .*\n\n[^]*kube-proxy plan --help\n[^]*--kubeconfig string\n/],
    [['plan', '--help'], /^Shows what a start of kube-proxy would change[^]*Exit status:\n/],
    [['explain', '--help'], /^Says what becomes of the first packet [^]*\nExamples:\n/],
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
    [['--bogus', 'value'], 'unknown flag --bogus\n'],
    [
      ['--bogus', '--oom-score-adj=2000', '--proxy-mode=ipvs'],
      'unknown flag --bogus; --oom-score-adj: KubeProxyConfiguration.oomScoreAdj: Invalid value: "2000": must be within the range [-1000, 1000]\n',
    ],
    [
      ['--bogus', '--config=/nonexistent'],
      'unknown flag --bogus; --config /nonexistent: ENOENT: no such file or directory',
    ],
    [['start'], 'unexpected argument "start"'],
    [['plan', '-o', 'xml'], '--output: must be one of text, wide, json: xml'],
    [['plan', 'now'], 'unexpected argument "now"'],
    [['plan', '--wait=soon'], '--wait: must be a positive duration: soon'],
    [['plan', '--bogus', '--oom-score-adj=x'], 'unknown flag --bogus; --oom-score-adj: '],
    [
      ['--cleanup', '--proxy-mode=userspace'],
      '--proxy-mode: KubeProxyConfiguration.mode: Invalid value: "userspace": must be ipvs or blank\n',
    ],
    [['--config=/nonexistent'], '--config /nonexistent: ENOENT: no such file or directory'],
    [[`--config=${folder}`], `--config ${folder}: is no file\n`],
    [[`--config=${broken}`], `--config ${broken}: is no YAML at line 1: BAD_INDENT\n`],
    [
      [`--config=${wrong}`, '--hostname-override= '],
      '--hostname-override: KubeProxyConfiguration.hostnameOverride: Invalid value: " ": must not be blank; ' +
        'KubeProxyConfiguration.oomScoreAdj: Invalid value: "2000": must be within the range [-1000, 1000]\n',
    ],
    [
      ['--proxy-mode=iptables', '--bind-address=x'],
      `--proxy-mode: KubeProxyConfiguration.mode: Invalid value: "iptables": this program knows ipvs only: set ipvs here, or run upstream's kube-proxy for iptables; ` +
        '--bind-address: KubeProxyConfiguration.bindAddress: Invalid value: "x": not a valid textual representation of an IP address\n',
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
      '--iptables-masquerade-bit: KubeProxyConfiguration.iptables.masqueradeBit: Invalid value: "40": must be within the range [0, 31]; ' +
        '--ipvs-exclude-cidrs: KubeProxyConfiguration.ipvs.excludeCIDRs[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR; ' +
        '--ipvs-sync-period: KubeProxyConfiguration.ipvs.syncPeriod: Invalid value: "-1s": must be greater than 0; ' +
        '--healthz-bind-address: KubeProxyConfiguration.healthzBindAddress: Invalid value: "1.2.3:x": must be a valid IP\n',
    ],
    [['--proxy-mode=ipvs', '--master=ftp://x'], '--master: "ftp://x" is no http or https URL'],
    [['--proxy-mode=ipvs', '--kubeconfig=/nonexistent'], 'kubeconfig /nonexistent: no such file\n'],
    [['--proxy-mode=ipvs', `--kubeconfig=${folder}`], `kubeconfig ${folder}: is a folder\n`],
    [['--proxy-mode=ipvs', `--kubeconfig=${broken}`], `kubeconfig ${broken}: `],
    [
      ['--proxy-mode=ipvs'],
      'in-cluster credentials: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    ],
  ] as const)('%j', async ([argv, reason], { expect: expectHere }) => {
    const { status, stdout, stderr } = await kubeProxy(...argv);
    expectHere([status, stdout]).toEqual([1, '']);
    expectHere(stderr.startsWith(`kube-proxy: ${reason}`), stderr).toBe(true);
    expectHere(stderr.match(/\n/g), stderr).toHaveLength(1);
  });
});

test('a question that cannot be answered has status 1, and one line', async () => {
  const outcome = await kubeProxy('explain', 'node', 'svc/shop/web:http');
  expect(outcome).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^kube-proxy: svc\/shop\/web is a name, [^\n]*\n$/),
  });
});

describe('the configuration in force is written', () => {
  test('from flags, and from the file that was written', async () => {
    const first = join(folder, 'first.yaml');
    const second = join(folder, 'second.yaml');
    const flags = ['--proxy-mode=ipvs', '--ipvs-scheduler=lc', '--conntrack-min=7'];
    const outcome = await kubeProxy(...flags, '--write-config-to', first);
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
    const text = readFileSync(first, 'utf8');
    expect(text).toMatch(/^apiVersion: .*\nkind: .*\n[^]*\n {2}scheduler: lc\n[^]*\n {2}min: 7\n/);
    const again = await kubeProxy(`--config=${first}`, `--write-config-to=${second}`);
    expect(again).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(second, 'utf8')).toBe(text);
  });

  test('and nothing else is done, not even a clean-up', async () => {
    const file = join(folder, 'written.yaml');
    const flags = ['--proxy-mode=ipvs', '--cleanup', `--write-config-to=${file}`];
    // A clean-up would need rights, and leaves this machine alone if it is begun all the same.
    const outcome = await outcomeOf([...withoutRights, process.execPath, program, ...flags]);
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8')).toMatch(/^apiVersion: /);
  });

  test('with --v=1 every flag is logged with its value, in one line', async () => {
    const target = join(folder, 'logged.yaml');
    const flags = ['--proxy-mode=ipvs', '--ipvs-scheduler=lc', '--v=1'];
    const { stderr } = await kubeProxy(...flags, '--write-config-to', target);
    const [line = '', ...others] = stderr.trim().split('\n');
    expect(others).toEqual([]);
    for (const shown of ['"flags"', 'proxy-mode="ipvs"', 'ipvs-scheduler="lc"', 'v="1"'])
      expect(line).toContain(shown);
    expect(line).toContain('conntrack-min="131072"');
  });

  test('or it is said why not', async () => {
    const outcome = await kubeProxy('--proxy-mode=ipvs', '--write-config-to=/nonexistent/file');
    expect(outcome).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^kube-proxy: ENOENT: [^\n]*nonexistent[^\n]*\n$/),
    });
  });

  test('what the operator should know is reported in lines of the wanted format', async () => {
    const file = join(folder, 'told');
    writeFileSync(file, `${head}mode: ipvs\nportRange: 1-2\nudpIdleTimeout: 250ms\n`);
    const { stderr } = await kubeProxy(
      `--config=${file}`,
      '--logging-format=json',
      '--masquerade-all',
      `--write-config-to=${join(folder, 'unused')}`,
    );
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg)).toEqual([
      'flags do not count beside --config',
      'using lenient decoding: the configuration file has unknown fields',
      'options have no effect here',
    ]);
  });
});
