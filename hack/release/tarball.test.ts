import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sbom } from './sbom.ts';
import { makeTarball } from './tarball.ts';

// The tarball for nodes with systemd, unpacked elsewhere, with nothing of this checkout in reach.

const built = mkdtempSync(join(tmpdir(), 'tarball-'));
const unpacked = mkdtempSync(join(tmpdir(), 'node-'));
const arch = process.arch;
let root: string;

beforeAll(async () => {
  const path = await makeTarball({ folder: built, arch, hasNode: false });
  execFileSync('tar', ['-xzf', path, '-C', unpacked]);
  root = join(unpacked, readdirSync(unpacked)[0] ?? '');
  // As long as a test may take: machines may be slow.
}, 120_000);

afterAll(() => {
  for (const folder of [built, unpacked]) rmSync(folder, { recursive: true });
});

function kubeProxy(flags: readonly string[], env: Readonly<Record<string, string>>) {
  const { status, stdout, stderr } = spawnSync(join(root, 'bin/kube-proxy'), [...flags], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', ...env },
    cwd: '/',
  });
  return { status, stdout, stderr };
}

const ownNode = { KUBE_PROXY_NODE: process.execPath };

describe('what it starts', () => {
  test.each([
    ['--version', /^Kubernetes v1\.37\.0\+ipvs\.\d+\n$/],
    ['--help', /--kubeconfig string\n/],
  ])('answers %s', (flag, stdout) => {
    expect(kubeProxy([flag], ownNode)).toEqual({
      status: 0,
      stdout: expect.stringMatching(stdout),
      stderr: '',
    });
  });

  test('loads no HTTP client that it does not use, and makes requests', () => {
    const told = "process.on('exit', () => console.log(process.moduleLoadList.join('\\n')))";
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(told)}`;
    const flags = ['status', '--metrics-bind-address=127.0.0.1:1'];
    const { stdout } = kubeProxy(flags, { ...ownNode, NODE_OPTIONS });
    const loaded = stdout.split('\n');
    expect(stdout).toContain('connect ECONNREFUSED 127.0.0.1:1');
    expect(loaded).toContain('NativeModule http');
    expect(loaded.filter((name) => name.includes('undici'))).toEqual([]);
  });

  test('says in one line that there is no Node', () => {
    expect(kubeProxy(['--version'], { KUBE_PROXY_NODE: '/nonexistent' })).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^kube-proxy: no Node here: .*\n$/),
    });
  });
});

test('its unit starts the program that was unpacked, with a file that it takes', () => {
  const unit = readFileSync(join(root, 'lib/systemd/system/kube-proxy.service'), 'utf8');
  const command = /^ExecStart=(.+)$/m.exec(unit)?.[1] ?? '';
  const [program = '', ...argv] = command
    .replace('/usr/local/', `${root}/`)
    .replace('/etc/kubernetes/', `${built}/`)
    .split(' ');
  expect(argv).toEqual([`--config=${built}/kube-proxy.yaml`]);
  const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
  writeFileSync(join(built, 'kube-proxy.yaml'), `${head}mode: ipvs\nipvs: {scheduler: wrr}\n`);
  const written = join(built, 'written.yaml');
  const env = { PATH: '/usr/bin:/bin', ...ownNode };
  const options = { encoding: 'utf8', env, cwd: '/' } as const;
  const { status, stderr } = spawnSync(program, [...argv, `--write-config-to=${written}`], options);
  expect([status, stderr]).toEqual([0, '']);
  expect(readFileSync(written, 'utf8')).toContain('scheduler: wrr');
});

test('the Node that comes along is started, before any other, with the limits of memory', () => {
  const node = join(root, 'lib/kube-proxy/node');
  writeFileSync(node, '#!/bin/sh\necho "$MALLOC_ARENA_MAX $*"\n', { mode: 0o755 });
  try {
    const { stdout } = kubeProxy(['--version'], ownNode);
    expect(stdout).toBe(
      `1 --max-semi-space-size=4 ${realpathSync(root)}/lib/kube-proxy/kube-proxy.js --version\n`,
    );
  } finally {
    rmSync(node);
  }
});

test('the binary that reaches the kernel can be loaded', () => {
  const binary = join(root, `lib/kube-proxy/koffi-linux-${arch}.node`);
  const load = `process.dlopen({ exports: {} }, ${JSON.stringify(binary)}); console.log('loaded')`;
  expect(execFileSync(process.execPath, ['-e', load], { encoding: 'utf8' })).toBe('loaded\n');
});

test('the library for authentication providers is found beside the bundle', async () => {
  const server = createServer((_, response) => response.writeHead(503).end()).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const config = {
    'cmd-path': '/bin/echo',
    // Given to a shell.
    'cmd-args': `'{"expires":"2099-01-01T00:00:00Z","token":"provided"}'`,
    'expiry-key': '{.expires}',
    'token-key': '{.token}',
  };
  const kubeconfig = {
    clusters: [{ name: 'here', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'node', user: { 'auth-provider': { name: 'gcp', config } } }],
    contexts: [{ name: 'both', context: { cluster: 'here', user: 'node' } }],
    'current-context': 'both',
  };
  const file = join(built, 'kubeconfig');
  writeFileSync(file, JSON.stringify(kubeconfig));
  const asked = once(server, 'request');
  const child = spawn(join(root, 'bin/kube-proxy'), ['status', `--kubeconfig=${file}`], {
    env: { PATH: '/usr/bin:/bin', ...ownNode },
    stdio: 'ignore',
  });
  const ended = once(child, 'close');
  try {
    const [request] = (await asked) as [IncomingMessage];
    expect(request.headers.authorization).toBe('Bearer provided');
  } finally {
    child.kill();
    await ended;
    server.close();
  }
});

test('it has the bundle, the binary of this processor alone, a unit, licences and an SBOM', () => {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
  expect(files).toEqual([
    'bin/kube-proxy',
    'lib/kube-proxy/client-node.mjs',
    'lib/kube-proxy/client-node.mjs.map',
    'lib/kube-proxy/koffi-linux-' + arch + '.node',
    'lib/kube-proxy/kube-proxy.js',
    'lib/kube-proxy/kube-proxy.js.map',
    'lib/kube-proxy/package.json',
    'lib/systemd/system/kube-proxy.service',
    'share/doc/kube-proxy/LICENSE',
    'share/doc/kube-proxy/THIRD-PARTY-LICENSES',
    'share/doc/kube-proxy/sbom.cdx.json',
  ]);
});

test('licences and SBOM name what is in the bundle, and nothing for development', () => {
  const doc = (name: string) => readFileSync(join(root, 'share/doc/kube-proxy', name), 'utf8');
  const sbom = JSON.parse(doc('sbom.cdx.json')) as Sbom;
  expect(sbom.bomFormat).toBe('CycloneDX');
  const refs = sbom.components.map((component) => component['bom-ref']);
  const names = refs.map((ref) => ref.slice(0, ref.lastIndexOf('@')));
  const known = ['koffi', `@koromix/koffi-linux-${arch}`, 'pino', 'prom-client', 'yaml', 'undici'];
  for (const name of known) expect(names).toContain(name);
  expect(names).not.toContain('esbuild');
  for (const ref of refs) {
    const at = ref.lastIndexOf('@');
    expect(doc('THIRD-PARTY-LICENSES')).toContain(`${ref.slice(0, at)} ${ref.slice(at + 1)} (`);
  }
});
