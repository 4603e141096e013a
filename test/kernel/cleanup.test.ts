import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { printedState } from '../support/kernel-state.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { Program } from '../support/program.ts';
import { feed, restoreState } from '../support/restore-state.ts';
import { stateOfExample } from '../support/upstream-examples.ts';

// `--cleanup` of the program as it is shipped, against what upstream's modes leave, beside what belongs to others.

const folder = mkdtempSync(join(tmpdir(), 'cleanup-'));
const fixtures = new URL('../fixtures/', import.meta.url);
let node: Namespace;

beforeEach(() => {
  node = createNamespace();
  node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
  node.run('ip', 'addr', 'add', '192.168.7.10/24', 'dev', 'eth0');
  node.run('ip', 'addr', 'add', '2001:db8:7::10/64', 'dev', 'eth0', 'nodad');
  node.run('ip', 'link', 'set', 'eth0', 'up');
});

afterEach(() => node.remove());
afterAll(() => rmSync(folder, { recursive: true }));

function fixture(name: string): string {
  return readFileSync(new URL(name, fixtures), 'utf8');
}

/** A load balancer as keepalived makes it, one by firewall mark, and sets, rules and tables of others. */
function addForeign(): void {
  feed(
    node,
    ['ipvsadm', '-R'],
    [
      '-A -t 192.168.7.10:6443 -s wlc -p 50',
      '-a -t 192.168.7.10:6443 -r 192.168.7.11:6443 -g -w 1',
      '-A -t [2001:db8:7::10]:6443 -s rr',
      '-A -u 203.0.113.9:53 -s rr',
      '-A -f 7 -s rr',
      '-a -f 7 -r 192.168.7.12:0 -m -w 1',
    ].join('\n'),
  );
  feed(
    node,
    ['ipset', 'restore'],
    'create KUBE-NWPLCY hash:ip\nadd KUBE-NWPLCY 10.0.1.2\ncreate cali40s: hash:net',
  );
  const rules = [
    '*nat',
    ':CNI-HOSTPORT-DNAT - [0:0]',
    '-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
    'COMMIT',
    '*filter',
    ':KUBE-FIREWALL - [0:0]',
    ':KUBE-NWPLCY-DEFAULT - [0:0]',
    '-A INPUT -j KUBE-FIREWALL',
    '-A FORWARD -m comment --comment "kubernetes service portals of mine" -j KUBE-NWPLCY-DEFAULT',
    '-A KUBE-NWPLCY-DEFAULT -j ACCEPT',
    'COMMIT',
  ].join('\n');
  for (const program of ['iptables', 'ip6tables']) feed(node, [`${program}-restore`], rules);
  node.run('nft', 'add', 'table', 'inet', 'kube-proxy');
  node.run('nft', 'add', 'table', 'ip', 'kube-router');
}

/** Everything in the namespace as other people's tools print it, without counters and times. */
function everything(): string {
  const { sysctls: _, ...printed } = printedState(node);
  const text = [...Object.values(printed), node.run('nft', 'list', 'tables')].join('\n');
  return text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\[\d+:\d+\]/g, '[0:0]')
    .replaceAll(/ (bucketsize|initval) \S+/g, '');
}

async function cleanUp(flags: readonly string[]): Promise<{ status: number | null; says: string }> {
  const program = await Program.start(node, { flags: ['--cleanup', ...flags] });
  const { status } = await program.ended();
  return { status, says: program.output };
}

describe.each(['d1-dual-stack.0', 'e5-lifecycle.1'])('IPVS mode, example %s', (name) => {
  test('all of it goes, and nothing of others', async () => {
    addForeign();
    const before = everything();
    restoreState(node, stateOfExample(name));
    expect(everything()).not.toBe(before);
    const { status, says } = await cleanUp(['--proxy-mode=nftables']);
    expect(everything()).toBe(before);
    expect(says).toContain('nothing of kube-proxy is left');
    expect(status).toBe(0);
  });
});

describe.each(['nft', 'legacy'])(
  'iptables mode in the flavour %s, and nftables mode',
  (flavour) => {
    test('all of both goes, and nothing of others', async () => {
      const rules = fixture('leftovers/iptables-mode.txt');
      feed(node, [`iptables-${flavour}-restore`], rules);
      for (const family of ['ip', 'ip6']) {
        node.run('nft', 'add', 'table', family, 'kube-proxy');
        node.run('nft', 'add', 'chain', family, 'kube-proxy', 'services');
      }
      const config = join(folder, 'config.yaml');
      const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
      writeFileSync(config, `${head}mode: iptables\n`);
      const { status } = await cleanUp([`--config=${config}`, '--proxy-mode=nftables']);
      const left = node
        .run(`iptables-${flavour}-save`)
        .split('\n')
        .map((line) => line.replace(/\[\d+:\d+\]/, '[0:0]'))
        .filter((line) => /^[*:-]/.test(line));
      const ours = /KUBE-(?!KUBELET|IPTABLES-HINT|FIREWALL)/;
      const foreign = rules.split('\n').filter((line) => /^[*:-]/.test(line) && !ours.test(line));
      expect(left.toSorted()).toEqual(foreign.toSorted());
      expect(node.run('nft', 'list', 'tables')).not.toContain('kube-proxy');
      expect(status).toBe(0);
    });
  },
);

test('what others hold stays, is named, and is the reason for status 1', async () => {
  restoreState(node, stateOfExample('e5-lifecycle.1'));
  node.run(
    ...['iptables', '-A', 'FORWARD', '-m', 'set', '--match-set', 'KUBE-CLUSTER-IP', 'dst,dst'],
    ...['-j', 'ACCEPT'],
  );
  const { status, says } = await cleanUp([]);
  expect(status).toBe(1);
  expect(says).toContain('set KUBE-CLUSTER-IP');
  expect(node.run('ipset', 'list', '-n')).toBe('KUBE-CLUSTER-IP\n');
  expect(node.run('ipvsadm', '-Sn')).toBe('');
  node.run('iptables', '-F', 'FORWARD');
  expect((await cleanUp([])).status).toBe(0);
  expect(node.run('ipset', 'list', '-n')).toBe('');
});

test('where there is nothing, nothing is made', async () => {
  const before = everything();
  expect((await cleanUp([])).status).toBe(0);
  expect(everything()).toBe(before);
});
