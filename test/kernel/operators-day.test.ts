import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { service } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import { ip } from '../support/addresses.ts';
import { ManifestFile, podSlices } from '../support/manifests.ts';
import { writeIptablesMode } from '../support/modes/iptables-mode.ts';
import { fetchText } from '../support/network/http.ts';
import { Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { Program } from '../support/program.ts';
import type { Stream } from '../support/stream.ts';
import { ShopService, serveAll } from '../support/traffic.ts';
import { expectAlive, openStreams, underLoad, type Way } from '../support/under-load.ts';

// An operator's day on one node: upstream's iptables mode serves it; the program is installed over it, watched, configured anew,
// rolled back, and what it made is cleaned away. One story, in order, with established connections from its beginning to its end.

const network = new Network();
const { node } = network;
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web = network.addPod('web', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
const upstream = [{ shop, endpoints: [web] }];
const ways: readonly Way[] = [
  [caller, shop.vip],
  [client, shop.nodePort],
];
const folder = mkdtempSync(join(tmpdir(), 'operators-day-'));
const manifests = new ManifestFile();
/** Connections that upstream's rules began, and those that IPVS did. */
const early: Stream[] = [];
const late: Stream[] = [];
let servers: readonly Server[] = [];
let program: Program | undefined;

beforeAll(async () => {
  servers = serveAll(web);
  const ports = protocols.map((protocol) => ({ name: protocol.toLowerCase(), protocol }));
  manifests.write([
    service('web', {
      type: 'NodePort',
      clusterIP: shop.vip.addresses.IPv4,
      clusterIPs: Object.values(shop.vip.addresses),
      ipFamilies: ['IPv4', 'IPv6'],
      ports: ports.map((port) => ({ ...port, port: 80, nodePort: shop.nodePort.port })),
    }),
    ...podSlices('web', web).map((slice) => ({
      ...slice,
      ports: ports.map((port) => ({ ...port, port: 8080 })),
    })),
  ]);
  // As every node has some of a CNI: without a rule that needs conntrack, the kernel would translate nothing after the clean-up.
  for (const program of ['iptables', 'ip6tables'])
    node.namespace.run(program, ...'-t nat -A POSTROUTING -o cni0 -j MASQUERADE'.split(' '));
  writeIptablesMode(node.namespace, upstream);
  early.push(...(await openStreams(ways)));
});

afterAll(async () => {
  await program?.end('SIGKILL');
  await Promise.all([...early, ...late].map((stream) => stream.stop()));
  for (const server of servers) server.close();
  manifests.remove();
  rmSync(folder, { recursive: true });
  network.close();
});

/** How many TCP connections through the Service conntrack calls established. */
function established(): number {
  const lines = node.namespace.run('cat', '/proc/net/nf_conntrack').split('\n');
  const isOurs = /^\S+\s+\d+ tcp .* ESTABLISHED .*?dport=(80|30080) /;
  return lines.filter((line) => isOurs.test(line)).length;
}

const tcpStreams = ways.length * families.length;

function writeConfig(tcpTimeout: string): string {
  const path = join(folder, 'config.conf');
  const fields = [
    'apiVersion: kubeproxy.config.k8s.io/v1alpha1',
    'kind: KubeProxyConfiguration',
    'mode: ipvs',
    'clusterCIDR: 10.0.0.0/8,fd00:10::/32',
    'metricsBindAddress: 127.0.0.1:10249',
    'healthzBindAddress: 127.0.0.1:10256',
    `ipvs: {tcpTimeout: ${tcpTimeout}}`,
  ];
  writeFileSync(path, `${fields.join('\n')}\n`);
  return path;
}

/** What a supervisor does. */
async function start(config: string): Promise<Program> {
  return await Program.start(node.namespace, { flags: [`--config=${config}`, manifests.flag] });
}

function fetch(port: number, path: string): Promise<string> {
  return fetchText(node, { address: ip('127.0.0.1'), port, path });
}

/** Whether a probe is answered with 200. */
function isWell(path: string): Promise<boolean> {
  return fetch(10_256, path).then(
    () => true,
    () => false,
  );
}

test('install: it takes over from iptables mode, and no connection is lost', async () => {
  await expect.poll(established).toBe(tcpStreams);
  await underLoad(ways, async () => {
    program = await start(writeConfig('15m'));
    await program.said('removed what another mode of kube-proxy left');
  });
  await expectAlive(...early);
  await expect.poll(established).toBe(tcpStreams);
  expect(node.namespace.run('iptables-save')).not.toContain('KUBE-SEP');
});

test('watch: probes are answered, and metrics say what was done', async () => {
  for (const path of ['/readyz', '/healthz', '/livez']) expect(await isWell(path)).toBe(true);
  expect(await fetch(10_249, '/proxyMode')).toBe('ipvs');
  const metrics = await fetch(10_249, '/metrics');
  expect(metrics).toMatch(/^kubeproxy_ipvs_operations_total\{.*kind="removeLeftovers".*\} 1$/m);
  expect(metrics).toMatch(/^kubeproxy_sync_proxy_rules_duration_seconds_count\{.*\} [1-9]/m);
});

test('configure: a changed ConfigMap restarts it, and no connection is lost', async () => {
  late.push(...(await openStreams(ways)));
  await underLoad(ways, async () => {
    const config = writeConfig('800s');
    expect(await program?.ended()).toEqual({ status: 1, signal: null });
    program = await start(config);
    await program.said('first sync done');
  });
  expect(node.namespace.run('ipvsadm', '-L', '--timeout')).toContain(': 800 ');
  await expectAlive(...early, ...late);
  await expect.poll(established).toBe(2 * tcpStreams);
});

test('roll back: upstream starts over what is there, and no connection is lost', async () => {
  expect((await program?.end('SIGTERM'))?.status).toBe(0);
  await underLoad(ways, () => writeIptablesMode(node.namespace, upstream));
  await expectAlive(...early, ...late);
  await expect.poll(established).toBe(2 * tcpStreams);
});

test('clean up: everything goes, and what upstream began goes on once its rules are back', async () => {
  await Promise.all(late.splice(0).map((stream) => stream.stop()));
  const cleaning = await Program.start(node.namespace, { flags: ['--cleanup'] });
  expect(await cleaning.ended(), cleaning.output).toEqual({ status: 0, signal: null });
  writeIptablesMode(node.namespace, upstream);
  await underLoad(ways, () => expectAlive(...early));
  await expect.poll(established).toBe(tcpStreams);
});
