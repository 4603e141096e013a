import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { recordsAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findKubectl, Kubectl } from '../support/kubectl.ts';

const path = findKubectl();
const reason = path === undefined ? ' (there is none: set KUBECTL or put it into .cache/)' : '';
if (path === undefined) process.stderr.write(`skipped: the real kubectl${reason}\n`);

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'kube-proxy-bench' },
} as const;

describe.skipIf(path === undefined)(`hack/bench-cluster.sh with the real kubectl${reason}`, () => {
  let server: ApiServer;
  let kubectl: Kubectl;
  let metrics: Server;
  /** Most endpoints that there were when metrics were asked for. */
  let most: number;

  beforeEach(async () => {
    server = await startApiServer();
    kubectl = new Kubectl(path ?? '', server.kubeconfig());
    kubectl.install('unused', ''); // and so there is kubectl in PATH
    most = 0;
    const begin = server.revision;
    metrics = createServer((_, response) => {
      most = Math.max(most, endpoints().length);
      response.end(exposed(server.revision - begin));
    });
    metrics.listen(0, '127.0.0.1');
    await once(metrics, 'listening');
  });

  afterEach(async () => {
    kubectl[Symbol.dispose]();
    metrics.closeAllConnections();
    metrics.close();
    await server.close();
  });

  function endpoints(): readonly string[] {
    return server
      .objects('EndpointSlice')
      .flatMap((slice) => recordsAt(slice, 'endpoints'))
      .map(({ addresses }) => String(addresses));
  }

  function start(...words: readonly string[]): ChildProcessWithoutNullStreams {
    const { port } = metrics.address() as AddressInfo;
    const fixed = ['--endpoints', '250', '--changes', '3', '--pause', '0', '--settle', '1'];
    const url = `http://127.0.0.1:${port}/metrics`;
    const parameters = ['hack/bench-cluster.sh', ...fixed, '--metrics-url', url, ...words];
    return spawn('bash', parameters, { env: kubectl.env });
  }

  /** Runs it with an answer to its question, before which something else may happen. */
  async function bench(answer: string | (() => Promise<string>), ...words: readonly string[]) {
    const child = start(...words);
    const ended = endOf(child);
    if (typeof answer !== 'string') await once(child.stdout, 'readable');
    child.stdin.end(typeof answer === 'string' ? answer : await answer());
    return ended;
  }

  async function context(): Promise<string> {
    return (await kubectl.run(['config', 'current-context'])).stdout;
  }

  it('makes, changes and deletes endpoints, tells both histograms, and leaves nothing', async () => {
    const { code, stdout, stderr } = await bench(await context());
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('taking away'),
    });
    const rows = stdout
      .split('\n')
      .filter((line) => line.startsWith('| 250') || line.startsWith('| 3'));
    // A sample for each write: three slices, three changes, three deletions.
    const cells = (name: string) => `${name} | 3 | 0.1000 s | ≤ 0.128 s | ≤ 0.128 s`;
    const both = ['sync_proxy_rules_duration_seconds', 'network_programming_duration_seconds'];
    expect(rows.map((row) => row.replace(/ \| \d+ s \|$/, ''))).toEqual(
      ['250 endpoints made', '3 changes of one endpoint', '250 endpoints deleted'].flatMap(
        (phase) => both.map((name) => `| ${phase} | ${cells(name)}`),
      ),
    );
    expect(most).toBe(250);
    expect(server.get(namespace)).toBeUndefined();
    expect(server.objects('Service')).toEqual([]);
    expect(endpoints()).toEqual([]);
  });

  it('does nothing where the context is not typed', async () => {
    const begin = server.revision;
    expect(await bench('yes\n')).toMatchObject({
      code: 1,
      stderr: 'bench-cluster: nothing was done\n',
    });
    expect(server.revision).toBe(begin);
  });

  it('leaves a namespace alone that was there before', async () => {
    server.create(namespace);
    const { code, stderr } = await bench('', '--yes');
    expect(code).toBe(1);
    expect(stderr).toContain('not ours to take away');
    expect(server.get(namespace)).toBeDefined();
  });

  it('leaves alone what another run makes while it asks', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...namespace.metadata, namespace: namespace.metadata.name },
      spec: { ports: [{ port: 80 }] },
    };
    const { code, stderr } = await bench(async () => {
      server.create(namespace);
      server.create(service);
      return context();
    });
    expect(code).toBe(1);
    expect(stderr).toContain('"kube-proxy-bench" already exists');
    expect(server.get(namespace)).toBeDefined();
    expect(server.get(service)).toBeDefined();
  });

  it('asks nothing with --yes', async () => {
    expect(await bench('', '--yes')).toMatchObject({ code: 0 });
    expect(server.get(namespace)).toBeUndefined();
  });

  it('takes everything away when it is ended in the middle of a phase', async () => {
    // Histograms that stand still for so long are not waited for here.
    const child = start('--yes', '--settle', '600', '--patience', '600');
    const ended = endOf(child);
    await expect.poll(() => most).toBe(250);
    expect(server.objects('Service')).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({
      code: 143,
      stderr: expect.stringContaining('taking away'),
    });
    expect(server.get(namespace)).toBeUndefined();
    expect(server.objects('Service')).toEqual([]);
    expect(endpoints()).toEqual([]);
  });
});

/** What a process prints, and its status. */
async function endOf(child: ChildProcessWithoutNullStreams) {
  const closed = once(child, 'close') as Promise<[number]>;
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: (await closed)[0], stdout, stderr };
}

/** Both histograms with so many samples of a tenth of a second, in two families of which the second has none. */
function exposed(count: number): string {
  return ['sync_proxy_rules', 'network_programming']
    .flatMap((name) => {
      const full = `kubeproxy_${name}_duration_seconds`;
      return [
        `# TYPE ${full} histogram`,
        ...(['IPv4', 'IPv6'] as const).flatMap((family) => {
          const samples = family === 'IPv4' ? count : 0;
          const labels = `ip_family="${family}"`;
          return [
            `${full}_bucket{${labels},le="0.064"} 0`,
            `${full}_bucket{${labels},le="0.128"} ${samples}`,
            `${full}_bucket{${labels},le="+Inf"} ${samples}`,
            `${full}_sum{${labels}} ${samples / 10}`,
            `${full}_count{${labels}} ${samples}`,
          ];
        }),
      ];
    })
    .join('\n');
}
