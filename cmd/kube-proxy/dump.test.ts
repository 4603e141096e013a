import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { DumpSources } from '../../pkg/dump/sources.ts';
import { KernelError } from '../../pkg/errno/errno.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { ProgressBoard, printProgress } from '../../pkg/runner/progress.ts';
import { ip } from '../../test/support/addresses.ts';
import type { ExplainedNode } from '../../test/support/explained-node.ts';
import { webNode } from '../../test/support/web-node.ts';
import { dumpWith } from './dump.ts';

// The command on a kernel in memory, with objects from a file.

const folder = mkdtempSync(join(tmpdir(), 'dump-'));
const manifests = join(folder, 'objects.yaml');
writeFileSync(
  manifests,
  `apiVersion: v1
kind: Service
metadata:
  namespace: shop
  name: web
  uid: 0a000000-0000-4000-8000-000000000001
  annotations: { ipvs.kube-proxy.io/drain-timeout: 5m, ipvs.kube-proxy.io/made-up: secret-1, other: secret-2 }
  labels: { other: secret-3 }
  managedFields: [{ manager: secret-4 }]
spec: { clusterIP: 172.30.0.1, clusterIPs: [172.30.0.1], ports: [{ port: 80, protocol: TCP }], selector: { app: secret-5 } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { namespace: shop, name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: '', port: 8080, protocol: TCP }]
endpoints:
- { addresses: [10.0.1.4], nodeName: here, conditions: { ready: true }, targetRef: { name: secret-6, uid: 0a000000-0000-4000-8000-000000000002 } }
- { addresses: [10.0.2.4], nodeName: elsewhere, conditions: { ready: true } }
---
apiVersion: v1
kind: Node
metadata: { name: here, annotations: { other: secret-7 } }
status: { addresses: [{ type: InternalIP, address: 192.168.0.10 }], images: [{ names: [secret-8] }] }
`,
);
afterAll(() => rmSync(folder, { recursive: true }));

const objects = [`--ipvs-manifests=${manifests}`, '--hostname-override=here'];
/** Nobody listens there. */
const withoutMetrics = '--metrics-bind-address=127.0.0.1:1';

let explained: ExplainedNode;

beforeEach(async () => {
  explained = await webNode();
});

/** Runs the command on the node, parts of which may be others. */
async function run(
  argv: readonly string[],
  over: Partial<DumpSources> = {},
  progress = new ProgressBoard(),
) {
  const sources = { ...explained.dumpSources, ...over };
  let isClosed = false;
  const open = async () => ({ sources, close: () => void (isClosed = true) });
  const log = Object.assign(recordingLogger(), {
    end: () => undefined,
    lost: () => ({ leftOut: 0, dropped: 0 }),
  });
  let text = '';
  const print = async (part: string) => void (text += part);
  const status = await dumpWith({ open })([...objects, ...argv], { log, print, progress });
  return { status, text, isClosed, errors: log.lines().filter((line) => line.startsWith('error')) };
}

/** A dump as JSON. */
async function dumped(argv: readonly string[] = [], over: Partial<DumpSources> = {}) {
  const { text } = await run([withoutMetrics, ...argv], over);
  return JSON.parse(text) as Record<string, unknown> & {
    readonly node: Record<string, unknown>;
    readonly unread: unknown;
  };
}

/** A metrics server of a running proxy whose `/metrics` is this. */
async function serveMetrics(body: string, status = 200): Promise<string> {
  const server = createServer(({ url }, answer) =>
    url === '/debug/ipvs/log'
      ? answer.writeHead(200).end('I1121 "synced" service="shop/web"\n')
      : answer.writeHead(status).end(body),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `--metrics-bind-address=127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a dump has the objects, the state of the kernel, settings, versions and metrics', async () => {
  const { status, text, isClosed } = await run([await serveMetrics('a_total 1\nb{c="d"} 2\n')]);
  expect([status, isClosed]).toEqual([0, true]);
  const dump: unknown = JSON.parse(text);
  expect(dump).toMatchObject({
    apiVersion: 'ipvs.kube-proxy.io/v1',
    kind: 'NodeDump',
    isAnonymous: false,
    nodeName: 'here',
    versions: { runtime: `node ${process.version}` },
    configuration: { kind: 'KubeProxyConfiguration' },
    unread: [],
    metrics: ['a_total 1', 'b{c="d"} 2', ''],
    log: ['I1121 "synced" service="shop/web"', ''],
  });
  expect(dump).toHaveProperty('objects', [
    expect.objectContaining({ kind: 'Node' }),
    expect.objectContaining({ kind: 'Service' }),
    expect.objectContaining({ kind: 'EndpointSlice' }),
  ]);
  const virtualServers = expect.arrayContaining([
    expect.objectContaining({
      address: '172.30.0.1',
      realServers: [
        expect.objectContaining({ address: '10.0.1.4', port: 8080, weight: 1 }),
        expect.objectContaining({ address: '10.0.2.4' }),
      ],
    }),
  ]) as unknown;
  expect(dump).toMatchObject({
    node: {
      modules: { ip_vs: true, br_netfilter: false },
      ipvs: { info: { version: '1.2.1' }, virtualServers },
      kernelRelease: '6.1.0-18-amd64',
      sysctls: { 'net/ipv4/ip_forward': '1' },
      cpus: '0-3',
      conntrack: { isWhole: true, flows: [] },
    },
  });
  expect(explained.kernel.ipvs.calls.addVirtualServer).toBe(1);
});

test('each set entry, line of rules and object stands in a line of its own', async () => {
  const { text } = await run([withoutMetrics]);
  const lines = text.split('\n').map((line) => line.replace(/,$/, ''));
  expect(lines).toContain('{"type":"hash:ip,port","ip":"172.30.0.1","protocol":"TCP","port":80}');
  const rule = explained.kernel.firewall
    .dump('IPv4')
    .split('\n')
    .find((line) => /-A KUBE/.test(line));
  expect(lines).toContain(JSON.stringify(rule));
});

test('what no field of a dump names is not in it', async () => {
  const { text } = await run([
    withoutMetrics,
    '--kubeconfig=/etc/secret-9',
    '--master=https://secret-10',
  ]);
  expect(text).not.toContain('secret');
  expect(text).not.toContain(manifests);
  expect(text).toContain('"ipvs.kube-proxy.io/drain-timeout":"5m"');
});

describe('a file', () => {
  test('is readable by its owner alone, and nothing is left beside it', async () => {
    const file = join(folder, 'node.json');
    const { status, text } = await run([withoutMetrics, '-o', file]);
    // Metrics are not asked for where no server is configured.
    expect([status, text]).toEqual([2, '']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ kind: 'NodeDump' });
    expect(readdirSync(folder)).not.toContain('node.json.part');
  });

  test('that cannot be written is an error', async () => {
    const file = join(folder, 'none', 'node.json');
    await expect(run([withoutMetrics, '-o', file])).rejects.toThrow('ENOENT');
  });
});

describe('what could not be read is named in the dump and in the log, never read as empty', () => {
  test('a part of the kernel', async () => {
    const fails = () => {
      throw new KernelError('list sets', 'EPERM');
    };
    const over = { ipsets: { sets: fails, entries: fails } };
    const { status, text, errors } = await run([withoutMetrics], over);
    expect(status).toBe(2);
    const reason = 'list sets: EPERM';
    expect(errors).toContain(`error not in the dump {"part":"sets","reason":"${reason}"}`);
    const { node: parts, unread } = JSON.parse(text) as { node: object; unread: unknown };
    expect(unread).toContainEqual({ part: 'sets', reason });
    expect(parts).not.toHaveProperty('sets');
  });

  test('a part whose module is not loaded is null', async () => {
    const { node: parts, unread } = await dumped([], { ipvs: undefined });
    expect(parts['ipvs']).toBeNull();
    expect(unread).not.toContainEqual(expect.objectContaining({ part: 'ipvs' }));
  });

  test('objects', async () => {
    // Nobody listens there, so that no list is ever read.
    const argv = ['--ipvs-manifests=', '--master=http://127.0.0.1:1', '--wait=50ms'];
    const { unread, ...rest } = await dumped(argv);
    expect(unread).toContainEqual({ part: 'objects', reason: 'not read within 0.05 s' });
    expect(rest).not.toHaveProperty('objects');
  });

  test.each([
    [
      'elsewhere',
      async () => '--metrics-bind-address=192.168.0.10:10249',
      'listens on 192.168.0.10',
    ],
    ['it refuses', () => serveMetrics('', 403), '/metrics is answered with status 403'],
    [
      'too much',
      () => serveMetrics('x'.repeat(16 * 1024 * 1024 + 1)),
      'has more than 16777216 bytes',
    ],
    ['nobody listens', async () => withoutMetrics, 'ECONNREFUSED'],
  ])('metrics: %s', async (_, serve, reason) => {
    const { text } = await run([await serve()]);
    const { unread, ...rest } = JSON.parse(text) as { unread: unknown };
    expect(unread).toContainEqual({
      part: 'metrics',
      reason: expect.stringContaining(reason) as string,
    });
    expect(rest).not.toHaveProperty('metrics');
  });
});

test('flows beyond the limit are said to be missing', async () => {
  const flow = (sourcePort: number) => {
    const original = {
      source: ip('10.0.1.9'),
      destination: ip('10.0.2.9'),
      sourcePort,
      destinationPort: 1,
    };
    return {
      protocol: 'TCP',
      original,
      reply: original,
      zone: 0,
      mark: 0,
      id: 1,
      status: 0,
      tcpState: undefined,
    } as const;
  };
  const conntrack: DumpSources['conntrack'] = {
    isFiltering: true,
    dump: async ({ family }, onFlow) => {
      if (family === 'IPv4') for (let at = 0; at <= 100_000; at++) onFlow(flow(at % 65_536));
    },
  };
  const { node: parts } = await dumped([], { conntrack });
  const { isWhole, flows } = parts['conntrack'] as { isWhole: boolean; flows: unknown[] };
  expect([isWhole, flows.length]).toEqual([false, 100_000]);
});

test('an anonymous dump has no name and no address of the node, and says that it is one', async () => {
  const argv = [await serveMetrics('a{service="shop/web",host="10.0.9.9:443"} 1\n'), '--anonymize'];
  const { status, text } = await run(argv);
  expect(status).toBe(0);
  expect(text).not.toMatch(/\b(?:shop|web(?:-1)?|here|elsewhere)\b/);
  expect(text).not.toMatch(/172\.30\.0\.1|10\.0\.[129]\.[49]|192\.168\.0\.10|0a000000/);
  expect(JSON.parse(text)).toMatchObject({
    isAnonymous: true,
    nodeName: expect.stringMatching(/^node-/),
  });
  expect(text).toContain('"scheduler":"rr"');
  // Another time other addresses stand for them.
  expect((await run(argv)).text).not.toBe(text);
});

test('help has examples and statuses', async () => {
  const { status, text } = await run(['--help']);
  expect(status).toBe(0);
  expect(text).toMatch(/^Examples:$[^]*^Exit status:$/m);
});

test.each([
  [['-o='], '--output: must name a file'],
  [['--wait=x'], '--wait: must be a positive duration: x'],
  [['--anonymize=yes'], '--anonymize: takes no value: yes'],
  [['more'], 'unexpected argument "more"'],
  [['--bogus'], 'unknown flag --bogus'],
  [['--version'], 'dump has no --version'],
])('%j is refused', async (argv, reason) => {
  await expect(run(argv)).rejects.toThrow(reason);
});

test('how many parts of the node are read is shown, and nothing afterwards', async () => {
  const progress = new ProgressBoard();
  const seen: string[] = [];
  const { links } = explained.dumpSources;
  const addresses = () => {
    seen.push(...progress.current.map(printProgress));
    return links.addresses();
  };
  await run(
    [withoutMetrics],
    { links: Object.assign(Object.create(links), { addresses }) },
    progress,
  );
  expect(seen).toEqual([expect.stringMatching(/^reading the parts of the node: 5 of \d+ /)]);
  expect(progress.current).toEqual([]);
});
