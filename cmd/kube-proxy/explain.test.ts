import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Report } from '../../pkg/explain/report.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import type { ExplainedNode } from '../../test/support/explained-node.ts';
import { webManifests, webNode } from '../../test/support/web-node.ts';
import { type ExplainOptions, explainWith } from './explain.ts';

const folder = mkdtempSync(join(tmpdir(), 'explain-'));
const manifests = join(folder, 'objects.yaml');
writeFileSync(manifests, webManifests);
afterAll(() => rmSync(folder, { recursive: true }));

const settings = ['--hostname-override=here', '--cluster-cidr=10.0.0.0/8,fd00:10::/32'];
const withObjects = [...settings, `--ipvs-manifests=${manifests}`];

/** Runs the command on a node in memory. */
async function run(
  argv: readonly string[],
  { on, ...over }: { readonly on?: ExplainedNode } & ExplainOptions = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { sources } = on ?? (await webNode());
  const open = async () => ({ sources, close() {} });
  const askProxy = async () => undefined;
  const command = explainWith({ isTerminal: false, env: {}, open, askProxy, ...over });
  let text = '';
  const print = async (part: string) => void (text += part);
  const log = Object.assign(recordingLogger(), {
    end() {},
    lost: () => ({ leftOut: 0, dropped: 0 }),
  });
  return { status: await command(argv, { log, print }), text };
}

test('a kernel without IPVS is said to have none', async () => {
  const { sources } = await webNode();
  const open = async () => ({ sources: { ...sources, ipvs: undefined }, close() {} });
  const { status, text } = await run(['10.0.1.9', '172.30.0.1:80'], { open });
  expect(status).toBe(2);
  expect(text).toContain('IPVS is not loaded in this kernel');
});

describe('the status says the answer', () => {
  test('0: answered', async () => {
    const { status, text } = await run(['10.0.1.9', '172.30.0.1:80']);
    expect(status).toBe(0);
    expect(text).toMatch(/\nYes: TCP from 10\.0\.1\.9 to 172\.30\.0\.1:80 reaches .*\n$/);
  });

  test('2: not, or not from all', async () => {
    expect((await run(['10.0.1.9', '172.30.0.1:81'])).status).toBe(2);
  });

  test('3: not known', async () => {
    const broken = await webNode();
    const rule = '-A INPUT -m bpf --bytecode "1,6 0 0 1" -j DROP';
    broken.kernel.firewall.insertRule('IPv4', { table: 'filter', rule });
    expect((await run(['10.0.1.9', '172.30.0.1:80'], { on: broken })).status).toBe(3);
  });
});

describe('with objects', () => {
  test('Services have names, and the state is compared', async () => {
    const { status, text } = await run([...withObjects, '10.0.1.9', 'svc/shop/web:80']);
    expect([status, text.split('\n')[0]]).toEqual([
      0,
      'TCP 10.0.1.9 → 172.30.0.1:80 in by cni0, Service shop/web',
    ]);
    expect(text).not.toContain('Otherwise');
  });

  test('what is missing is listed', async () => {
    const broken = await webNode();
    broken.kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' });
    const { status, text } = await run([...withObjects, 'outside=203.0.113.9', '172.30.0.1:80'], {
      on: broken,
    });
    expect(status).toBe(2);
    expect(text).toContain('\nOtherwise than it should be:\n  rule -A KUBE-SERVICES');
  });

  test('JSON has a version and the whole report', async () => {
    const { text } = await run([...withObjects, '-o', 'json', '10.0.1.9', 'svc/shop/web:80']);
    const report = JSON.parse(text) as Report;
    expect(report).toMatchObject({
      version: 1,
      answer: 'yes',
      service: 'shop/web',
      packet: { source: '10.0.1.9', destination: '172.30.0.1', port: 80, device: 'cni0' },
      balancing: { virtualServer: '172.30.0.1:80/TCP', scheduler: 'rr' },
      differences: { isFaringAsItShould: true, list: [] },
    });
  });
});

describe('the running proxy', () => {
  const question = ['10.0.1.9', '172.30.0.1:80'];

  test('is asked about the destination, and what it says stands before the verdict', async () => {
    const asked: string[] = [];
    const askProxy = async (_: unknown, address: string) => {
      asked.push(address);
      return ['repaired 3m0s ago: +vs 172.30.0.1:80/TCP rr'];
    };
    const { text } = await run(question, { askProxy });
    expect(asked).toEqual(['172.30.0.1']);
    expect(text).toContain(
      '\nThe kube-proxy of this node says:\n  repaired 3m0s ago: +vs 172.30.0.1:80/TCP rr\n\nYes:',
    );
    const json = await run([...question, '-o', 'json'], { askProxy });
    expect(JSON.parse(json.text)).toMatchObject({
      proxy: ['repaired 3m0s ago: +vs 172.30.0.1:80/TCP rr'],
    });
  });

  test('that does not answer is told from one that knows nothing', async () => {
    const json = async (askProxy: ExplainOptions['askProxy']) => {
      const { text } = await run([...question, '-o', 'json'], askProxy ? { askProxy } : {});
      return (JSON.parse(text) as Report).proxy;
    };
    expect(await json(undefined)).toBeNull();
    expect(await json(async () => [])).toEqual([]);
  });
});

describe('colours', () => {
  const question = ['10.0.1.9', '172.30.0.1:80'];
  test.each([
    ['on a terminal', { isTerminal: true }, true],
    ['not in a pipe', {}, false],
    ['not where NO_COLOR is set', { isTerminal: true, env: { NO_COLOR: '1' } }, false],
    ['not on a dumb terminal', { isTerminal: true, env: { TERM: 'dumb' } }, false],
  ])('%s', async (_, options, isColoured) => {
    const { text } = await run(question, options);
    expect(text.includes('\u001b[32mYes')).toBe(isColoured);
  });

  test('text of others has no effect on a terminal', async () => {
    const broken = await webNode();
    const rule = '-A INPUT -m comment --comment "\u001b[2J" -j ACCEPT';
    broken.kernel.firewall.insertRule('IPv4', { table: 'filter', rule });
    const { text } = await run(question, { on: broken });
    expect(text).toContain('"\ufffd[2J"');
    expect(text).not.toContain('\u001b');
  });
});

test('the output in the README is what the command prints', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const on = await webNode();
  const rule = '-A INPUT -s 10.0.1.0/24 -m comment --comment "no pods here" -j DROP';
  on.kernel.firewall.insertRule('IPv4', { table: 'filter', rule });
  const { status, text } = await run(['10.0.1.9', '172.30.0.1:80'], { on });
  expect(status).toBe(2);
  expect(readme).toContain(text.replaceAll(/^(?=.)/gm, '    '));
});

test('help has examples and statuses', async () => {
  const { status, text } = await run(['--help']);
  expect(status).toBe(0);
  expect(text).toMatch(/^Examples:$[^]*^Exit status:$/m);
});

describe('what is no question', () => {
  test.each([
    [[], 'explain takes FROM and TO, not 0 arguments (--help)'],
    [['10.0.1.9', '172.30.0.1:80', 'x'], 'not 3 arguments'],
    [['pod/shop', '172.30.0.1:80'], '"pod/shop" is no pod/NAMESPACE/NAME'],
    [['elsewhere', '172.30.0.1:80'], '"elsewhere" is no FROM'],
    [['node', '172.30.0.1'], '"172.30.0.1" is no TO'],
    [['node', '172.30.0.1:80/ICMP'], '"172.30.0.1:80/ICMP" is no TO'],
    [['node', 'fd00::1:80'], 'is no TO'],
    [['node', '172.30.0.1:70000'], 'is no TO'],
    [['node', '172.30.0.1:80', '-o', 'yaml'], '--output: must be text or json'],
    [['node', '172.30.0.1:80', '--source-port=0'], '--source-port: "0" is no port'],
    [['node', '172.30.0.1:80', '--in='], '--in: is no name of a device'],
    [['node', '172.30.0.1:80', '--bogus'], 'unknown flag --bogus'],
    [['node', '172.30.0.1:80', '--oom-score-adj=2000'], 'must be within the range'],
    [['node', '172.30.0.1:80', '--in=eth0'], 'a packet of the node itself comes in by no device'],
    [['outside=192.168.0.10', '172.30.0.1:80'], '192.168.0.10 is an address of this node'],
    [['node=10.9.9.9', '172.30.0.1:80'], '10.9.9.9 is no address of this node'],
    [['10.0.1.9', '[fd00::1]:80'], 'the sender has no IPv6 address'],
    [['198.18.0.1', '172.30.0.1:80'], 'say with --in'],
    [
      ['pod/shop/cart', '172.30.0.1:80'],
      'pod shop/cart is a name, and there is nothing to ask for it',
    ],
    [['node', 'svc/shop/web:80'], 'svc/shop/web is a name, and there is nothing to ask for it'],
    [
      [...withObjects, 'pod/shop/cart', '172.30.0.1:80'],
      'has no pods: ask with the address of the pod',
    ],
    [[...withObjects, 'node', 'svc/shop/none:80'], 'there is no Service shop/none'],
    [[...withObjects, 'node', 'svc/shop/web:http'], 'Service shop/web has no port http: it has 80'],
  ])('%j', async (argv, reason) => {
    await expect(run(argv)).rejects.toThrow(reason);
  });
});
