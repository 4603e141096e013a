import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServiceStatus } from '../../pkg/status/report.ts';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { bundled, Program } from '../support/program.ts';
import { feed } from '../support/restore-state.ts';

// `kube-proxy status` as it is shipped, on a real kernel: what it says is what ipvsadm made there, or says too.

let node: Namespace;

beforeEach(() => {
  node = createNamespace();
  node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
  node.run('ip', 'addr', 'add', '192.168.7.10/24', 'dev', 'eth0');
  node.run('ip', 'link', 'set', 'eth0', 'up');
});

afterEach(() => node.remove());

/** What the command says, as JSON, and its status. */
async function status(...flags: readonly string[]) {
  const program = await bundled();
  const output = node.run(
    ...(['sh', '-c', '"$@"; echo "status $?"', 'sh'] as const),
    ...[process.execPath, program, 'status', '-o', 'json', '--hostname-override=here', ...flags],
  );
  const [json = '', code = ''] = output.split('\nstatus ');
  const said = JSON.parse(json) as { source: string; services: readonly ServiceStatus[] };
  return { ...said, code: code.trim() };
}

/** What the running program says of a packet, which is what the command says beside it. */
async function explained(...flags: readonly string[]): Promise<unknown> {
  const query = 'from=node&to=svc/default/web:80';
  const ask = `fetch('http://127.0.0.1:10249/debug/ipvs/explain?${query}').then((answer) => answer.text()).then(console.log)`;
  const said = JSON.parse(node.run(process.execPath, '-e', ask)) as unknown;
  const words = ['explain', 'node', 'svc/default/web:80', '-o', 'json', '--hostname-override=here'];
  const cluster = '--cluster-cidr=10.0.0.0/8,fd00:10::/32';
  const command = node.run(process.execPath, await bundled(), ...words, cluster, ...flags);
  expect(said).toEqual(JSON.parse(command));
  return said;
}

/** The virtual servers and real servers of Services in lines. */
function linesOf(services: readonly ServiceStatus[]): readonly string[] {
  return services
    .flatMap(({ namespace, name, virtualServers }) =>
      virtualServers.flatMap(({ address, port, protocol, realServers, ...one }) => [
        `${namespace}/${name} ${protocol} ${address} ${port} ${one.scheduler} ${one.affinitySeconds} ${one.state}`,
        ...realServers.map(
          (rs) => `${protocol} ${address} ${port} to ${rs.address} ${rs.port} ${rs.weight}`,
        ),
      ]),
    )
    .toSorted();
}

test('without any proxy the kernel is shown as ipvsadm made it', async () => {
  feed(
    node,
    ['ipvsadm', '-R'],
    [
      '-A -t 10.96.0.10:80 -s rr',
      '-a -t 10.96.0.10:80 -r 10.0.1.1:8080 -m -w 1',
      '-a -t 10.96.0.10:80 -r 10.0.1.2:8080 -m -w 0',
      '-A -u [2001:db8::10]:53 -s wrr -p 60',
      '-a -u [2001:db8::10]:53 -r [2001:db8:1::1]:53 -m -w 7',
    ].join('\n'),
  );
  const { source, services, code } = await status();
  expect([source, code]).toEqual(['the kernel, without names', '0']);
  expect(linesOf(services)).toEqual([
    '/ TCP 10.96.0.10 80 rr 0 unowned',
    '/ UDP 2001:db8::10 53 wrr 60 unowned',
    'TCP 10.96.0.10 80 to 10.0.1.1 8080 1',
    'TCP 10.96.0.10 80 to 10.0.1.2 8080 0',
    'UDP 2001:db8::10 53 to 2001:db8:1::1 53 7',
  ]);
});

test('beside the program its names are shown, and what ipvsadm says', async () => {
  const manifests = new ManifestFile();
  manifests.write([
    service('web', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'] }),
    slice('web', ['10.0.1.1', '10.0.1.2']),
  ]);
  const proxy = await Program.start(node, { flags: [manifests.flag] });
  try {
    await proxy.said('first sync done');
    const { source, services, code } = await status();
    expect(source).toContain('the kube-proxy of this node');
    expect(code).toBe('0');
    expect(linesOf(services)).toEqual([
      'TCP 10.96.0.10 80 to 10.0.1.1 8080 1',
      'TCP 10.96.0.10 80 to 10.0.1.2 8080 1',
      'default/web TCP 10.96.0.10 80 rr 0 served',
    ]);
    expect(await explained(manifests.flag)).toMatchObject({
      answer: 'yes',
      service: 'default/web',
      differences: { isFaringAsItShould: true, list: [] },
      proxy: [],
    });
    expect(node.run('ipvsadm', '-S', '-n').trim().split('\n').toSorted()).toEqual([
      '-A -t 10.96.0.10:80 -s rr',
      '-a -t 10.96.0.10:80 -r 10.0.1.1:8080 -m -w 1',
      '-a -t 10.96.0.10:80 -r 10.0.1.2:8080 -m -w 1',
    ]);
  } finally {
    await proxy.end('SIGTERM');
    manifests.remove();
  }
});
