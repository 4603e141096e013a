import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { type Conditions, inMountNamespace, ManifestNode } from '../support/manifest-node.ts';
import { fetchText } from '../support/network/http.ts';

// What the program says where the kernel, the machine or its own rights do not suffice: one line with what is missing and what
// helps, and status 1.

let node: ManifestNode;

beforeEach(() => {
  node = new ManifestNode();
});

afterEach(() => node.remove());

const readOnlySettings = inMountNamespace(
  'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys',
);

interface Lack extends Conditions {
  readonly name: string;
  readonly says: string;
}

const lacks: readonly Lack[] = [
  {
    name: 'the capability',
    before: ['setpriv', '--inh-caps=-all', '--bounding-set=-all'],
    says: 'needs the capability CAP_NET_ADMIN',
  },
  {
    name: 'a scheduler',
    flags: ['--ipvs-scheduler=nosuch'],
    says: 'the kernel has no scheduler nosuch: load the module ip_vs_nosuch',
  },
  {
    name: 'iptables',
    // Not even an administrator can start what may not be executed.
    before: inMountNamespace(
      'for name in /usr/sbin/xtables-*-multi; do mount --bind /dev/null $name; done',
    ),
    says: 'no support for primary IP family: look for IPv4 iptables: ENOENT (no iptables-restore in PATH: install the package iptables)',
  },
  {
    name: 'a /proc/sys that can be written',
    before: readOnlySettings,
    says: "can't set sysctl net/ipv4/vs/conntrack to 1: write 1 to net/ipv4/vs/conntrack: EROFS (/proc/sys is read-only: run privileged, or set it on the node)",
  },
];

test.each(lacks)('what is missing: $name', async ({ says, ...conditions }) => {
  await node.expectRefusal(conditions, says);
});

test('without NET_RAW one line and a metric say what is done without; rules of Services are not written', async () => {
  node.manifests.write([service('web', { clusterIP: '172.30.0.1' }), slice('web', ['10.0.1.1'])]);
  const before = ['setpriv', '--inh-caps=-net_raw', '--bounding-set=-net_raw'];
  const started = await node.start({ before });
  await started.said('first sync done');
  expect(started.output.split('a capability is missing: add NET_RAW')).toHaveLength(2);
  // The match of iptables on sets opens a raw socket.
  expect(started.output).toContain("Can't open socket to ipset");
  const host = { name: 'node', namespace: node.namespace, addresses: [] };
  const address = ip('127.0.0.1');
  const metrics = await fetchText(host, { address, port: 10_249, path: '/metrics' });
  expect(metrics.match(/^kubeproxy_ipvs_missing_capabilities\{.*$/gm)).toEqual([
    'kubeproxy_ipvs_missing_capabilities{capability="CAP_NET_RAW"} 1',
  ]);
});

test('where everything is set already, nobody needs a /proc/sys that can be written', async () => {
  const first = await node.start({});
  await first.said('first sync done');
  expect(first.output).toContain('path="net/ipv4/vs/conntrack"');
  await first.end('SIGTERM');
  const second = await node.start({ before: readOnlySettings });
  await second.said('first sync done');
});

test('after --init-only three capabilities are enough, beside a /proc/sys that cannot be written', async () => {
  const prepared = await node.start({ flags: ['--init-only'] });
  expect(await prepared.ended(), prepared.output).toEqual({ status: 0, signal: null });
  node.manifests.write([service('web', { clusterIP: '172.30.0.1' }), slice('web', ['10.0.1.1'])]);
  const rights = '-all,+net_admin,+net_raw,+sys_resource';
  const setpriv = ['setpriv', `--inh-caps=${rights}`, `--bounding-set=${rights}`];
  const started = await node.start({ before: [...readOnlySettings, ...setpriv] });
  await started.said('first sync done');
  expect(started.output).not.toMatch(/^E\d{4} /m);
  expect(node.namespace.run('ipvsadm', '-Sn')).toContain('-A -t 172.30.0.1:80 -s rr');
});
