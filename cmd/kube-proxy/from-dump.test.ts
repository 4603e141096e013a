import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { OpenedDump } from '../../pkg/dump/read.ts';
import type { DumpSources } from '../../pkg/dump/sources.ts';
import { KernelError } from '../../pkg/errno/errno.ts';
import type { Report } from '../../pkg/explain/report.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { ip } from '../../test/support/addresses.ts';
import { ExplainedNode } from '../../test/support/explained-node.ts';
import { node } from '../../test/support/objects.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import { webManifests, webNode } from '../../test/support/web-node.ts';
import { dumpWith } from './dump.ts';
import { explainWith } from './explain.ts';
import { nodeOf } from './open-node.ts';
import { planWith } from './plan.ts';
import { statusWith } from './status.ts';
import type { RunSubcommand } from './subcommand.ts';

// A node is dumped, and then asked of its dump what it is asked itself: the answers are the same.

const folder = mkdtempSync(join(tmpdir(), 'from-dump-'));
const manifests = join(folder, 'objects.yaml');
const file = join(folder, 'node.json');
writeFileSync(
  manifests,
  `${webManifests}---
apiVersion: v1
kind: Node
metadata: { name: here }
status: { addresses: [{ type: InternalIP, address: 192.168.0.10 }] }
`,
);
afterAll(() => rmSync(folder, { recursive: true }));

const configuration = [
  '--hostname-override=here',
  '--cluster-cidr=10.0.0.0/8,fd00:10::/32',
  '--metrics-bind-address=127.0.0.1:1',
];
const ofNode = [...configuration, `--ipvs-manifests=${manifests}`];
const ofDump = [`--from-dump=${file}`];

let explained: ExplainedNode;
let log: ReturnType<typeof recordingLogger>;

beforeEach(async () => {
  explained = await webNode();
});

async function run(command: RunSubcommand, argv: readonly string[]) {
  log = recordingLogger();
  const programLog = Object.assign(log, {
    end: () => undefined,
    lost: () => ({ leftOut: 0, dropped: 0 }),
  });
  let text = '';
  const print = async (part: string) => void (text += part);
  return { status: await command(argv, { log: programLog, print }), text };
}

/** The node as it is now. */
function reader(over: Partial<DumpSources> = {}) {
  return { sources: { ...explained.dumpSources, ...over }, close: () => undefined };
}

async function dump(argv: readonly string[] = [], over: Partial<DumpSources> = {}) {
  const command = dumpWith({ open: async () => reader(over) });
  await run(command, [...ofNode, '-o', file, ...argv]);
}

const askProxy = async () => undefined;
const explain = explainWith({ isTerminal: false, env: {}, open: async () => reader(), askProxy });
const plan = planWith({ open: ({ config }) => nodeOf(reader(), config) });

function insertFlow(): void {
  const { conntrack } = explained.kernel;
  conntrack.insert({
    protocol: 'UDP',
    original: {
      source: ip('10.0.1.9'),
      destination: ip('172.30.0.1'),
      sourcePort: 5_000,
      destinationPort: 53,
    },
    reply: {
      source: ip('10.0.2.9'),
      destination: ip('10.0.1.9'),
      sourcePort: 53,
      destinationPort: 5_000,
    },
    zone: 0,
    mark: 0,
    status: 8,
    tcpState: undefined,
  });
}

/** What is wrong with the node. */
const faults: readonly (readonly [string, () => void])[] = [
  ['nothing', () => undefined],
  [
    'a flushed chain',
    () => explained.kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' }),
  ],
  [
    'a rule of somebody else',
    () =>
      explained.kernel.firewall.insertRule('IPv4', {
        table: 'filter',
        rule: '-A INPUT -s 10.0.1.0/24 -m comment --comment "no pods" -j DROP',
      }),
  ],
  [
    'a missing real server and a strange virtual server',
    () => {
      const { ipvs } = explained.kernel;
      const virtualServer = virtualServerOf(ip('172.30.0.1'));
      const realServer = { address: ip('10.0.1.4'), port: 8080 };
      ipvs.write([
        { kind: 'deleteRealServer', virtualServer, realServer },
        { kind: 'addVirtualServer', virtualServer: virtualServerOf(ip('172.30.0.9')) },
      ]);
    },
  ],
  ['a setting', () => void explained.settings.set('net/ipv4/vs/conntrack', '0')],
  ['a stale flow', insertFlow],
];

const questions = [
  ['10.0.1.9', '172.30.0.1:80'],
  ['outside=203.0.113.9', '172.30.0.1:80'],
  ['node', 'svc/shop/web:80'],
  ['10.0.1.9', '172.30.0.1:53/UDP'],
  ['198.18.0.1', '172.30.0.1:80', '--in=eth0'],
];

describe.each(faults)('a node with %s', (_, breakIt) => {
  beforeEach(async () => {
    breakIt();
    await dump();
  });

  test('explain says of the dump what it says of the node', async () => {
    for (const question of questions) {
      const expected = await run(explain, [...ofNode, '-o', 'json', ...question]);
      const found = await run(explainWith({ env: {} }), [...ofDump, '-o', 'json', ...question]);
      expect([question, found.status, JSON.parse(found.text)]).toEqual([
        question,
        expected.status,
        JSON.parse(expected.text),
      ]);
    }
  });

  test('plan says of the dump what it says of the node', async () => {
    for (const output of ['wide', 'json'])
      expect(await run(planWith({}), [...ofDump, '-o', output])).toEqual(
        await run(plan, [...ofNode, '-o', output]),
      );
  });
});

test('status says of the dump what it says of the node, and which dump it is', async () => {
  const realServer = { address: ip('10.0.1.4'), port: 8080 };
  const { ipvs } = explained.kernel;
  ipvs.setCounters(virtualServerOf(ip('172.30.0.1')), realServer, { activeConnections: 7 });
  await dump();
  const ofLive = await run(statusWith({ env: {}, open: async () => reader() }), [
    ...ofNode,
    '-o',
    'json',
  ]);
  const found = await run(statusWith({ env: {} }), [...ofDump, '-o', 'json']);
  const [live, dumped] = [ofLive, found].map(
    ({ text }) => JSON.parse(text) as Partial<StatusOutput>,
  );
  expect([found.status, dumped?.services]).toEqual([ofLive.status, live?.services]);
  expect(JSON.stringify(dumped?.services)).toContain('"active":7');
  expect(dumped).toMatchObject({
    source: expect.stringMatching(`^the kernel in ${file} of 20`),
    notes: [],
  });
  await expect(run(statusWith({ env: {} }), [...ofDump, '--watch'])).rejects.toThrow(
    '--watch: a dump does not change',
  );
});

/** What `status -o json` prints. */
interface StatusOutput {
  readonly source: string;
  readonly notes: readonly string[];
  readonly services: unknown;
}

test('the program starts on the objects of a dump as on those that it was made of', async () => {
  await dump();
  const onDump = [...configuration, `--ipvs-manifests=${file}`, '-o', 'wide'];
  expect(await run(plan, onDump)).toEqual(await run(plan, [...ofNode, '-o', 'wide']));
  const empty = await ExplainedNode.with({ services: [], slices: [], node: node() });
  const onEmpty = planWith({
    open: ({ config }) => nodeOf({ sources: empty.dumpSources, close: () => undefined }, config),
  });
  const { text } = await run(onEmpty, onDump);
  expect(text).toContain('+rs 172.30.0.1:80/TCP 10.0.1.4:8080 weight 1');
  expect(text).toBe((await run(onEmpty, [...ofNode, '-o', 'wide'])).text);
});

test('an anonymous dump is answered as the node is, with other names', async () => {
  explained.kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' });
  await dump();
  const { text: original } = await run(explain, [
    ...ofDump,
    '-o',
    'json',
    'node',
    'svc/shop/web:80',
  ]);
  const wanted = await run(planWith({}), ofDump);
  await dump(['--anonymize']);
  const [namespace, name] = ['namespace', 'service'].map(
    (kind) => new RegExp(`"(${kind}-\\d+)"`).exec(readFileSync(file, 'utf8'))?.[1] ?? '',
  );
  const question = ['-o', 'json', 'node', `svc/${namespace}/${name}:80`];
  const { text } = await run(explainWith({ env: {} }), [...ofDump, ...question]);
  const shape = (report: Report) => [
    report.answer,
    report.causes.map(({ kind }) => kind),
    report.steps.map(({ hook, table, chain }) => [hook, table, chain]),
    report.differences?.list.map(({ kind }) => kind),
  ];
  expect(shape(JSON.parse(text) as Report)).toEqual(shape(JSON.parse(original) as Report));
  const sums = (plan: { text: string }) =>
    plan.text.replaceAll(/\S+-\d+|\b(?:here|shop|web)\b/g, '_');
  expect(sums(await run(planWith({}), ofDump))).toBe(sums(wanted));
});

describe('the configuration', () => {
  test('is that of the dump', async () => {
    await dump(['--ipvs-scheduler=lc']);
    expect((await run(planWith({}), [...ofDump, '-o', 'wide'])).text).toContain(
      '=vs 172.30.0.1:80/TCP lc',
    );
  });

  test('is that of --config where it is given', async () => {
    await dump(['--ipvs-scheduler=lc']);
    const other = join(folder, 'other.yaml');
    writeFileSync(
      other,
      'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nclusterCIDR: 10.0.0.0/8\nipvs: { scheduler: rr }\n',
    );
    const argv = [...ofDump, `--config=${other}`, '-o', 'wide'];
    expect((await run(planWith({}), argv)).text).not.toContain('vs 172.30.0.1:80/TCP');
  });

  test('that is wrong is named with its place', async () => {
    await dump();
    const json = JSON.parse(readFileSync(file, 'utf8')) as OpenedDump;
    writeFileSync(file, JSON.stringify({ ...json, configuration: { kind: 'Pod' } }));
    await expect(run(planWith({}), ofDump)).rejects.toThrow(`${file}: configuration: apiVersion`);
  });
});

describe('a dump that does not have everything', () => {
  const fails = () => {
    throw new KernelError('list sets', 'EPERM');
  };

  test('is not planned with', async () => {
    await dump([], { ipsets: { sets: fails, entries: fails } });
    await expect(run(planWith({}), ofDump)).rejects.toThrow(
      `${file} does not have sets: list sets: EPERM`,
    );
  });

  test('is not explained where that would matter', async () => {
    await dump([], { ipsets: { sets: fails, entries: fails } });
    const question = [...ofDump, 'node', '172.30.0.1:80'];
    await expect(run(explainWith({ env: {} }), question)).rejects.toThrow('does not have sets');
  });

  test('without objects it is explained as a node without an API is', async () => {
    await dump(['--ipvs-manifests=', '--master=http://127.0.0.1:1', '--wait=50ms']);
    const question = [...ofDump, '-o', 'json', '10.0.1.9', '172.30.0.1:80'];
    const { status, text } = await run(explainWith({ env: {} }), question);
    expect([status, (JSON.parse(text) as Report).notUnderstood]).toEqual([
      0,
      [expect.stringContaining('is a dump without objects, which could not be read')],
    ]);
    await expect(run(planWith({}), ofDump)).rejects.toThrow('is a dump without objects');
  });

  test('with the first flows only, both say so', async () => {
    insertFlow();
    await dump();
    const json = readFileSync(file, 'utf8').replace(
      '"conntrack":{"isWhole":true',
      '"conntrack":{"isWhole":false',
    );
    writeFileSync(file, json);
    const question = [...ofDump, '-o', 'json', '10.0.1.9', '172.30.0.1:80'];
    const { text } = await run(explainWith({ env: {} }), question);
    expect((JSON.parse(text) as Report).notUnderstood).toEqual([
      'conntrack: the dump has only the first 1 flows',
    ]);
    await run(planWith({}), ofDump);
    expect(log.lines().join('\n')).toContain(
      'the dump has only the first flows of conntrack: stale ones among the others are not shown',
    );
  });
});

test.each([
  [['--from-dump='], '--from-dump: must name a file'],
  [['--from-dump=/none/x.json'], '/none/x.json: ENOENT'],
  [[`--from-dump=${manifests}`], `${manifests}: is no JSON: `],
])('%j is refused', async (argv, reason) => {
  await expect(run(planWith({}), argv)).rejects.toThrow(reason);
  await expect(run(explainWith({ env: {} }), [...argv, 'node', '10.0.0.1:1'])).rejects.toThrow(
    reason,
  );
});
