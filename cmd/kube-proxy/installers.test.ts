import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { get } from '../../test/support/http-server.ts';
import {
  commands,
  type Installer,
  kopsLogFlags,
  start,
  toIpvs,
} from '../../test/support/installers.ts';
import { endpoint, node, service, slice } from '../../test/support/objects.ts';
import { setNode, setService, setSlice } from '../../test/support/proxier.ts';

// Each installer's command and file starts the program, which serves a Service on a kernel in memory, and answers the installer's probes.

const ipvsFile = (file: string) => ({ file, edit: toIpvs });

test.each<[string, Installer]>([
  ['kubeadm', { argv: commands.kubeadm, file: 'kubeadm.yaml' }],
  ['kubeadm with mode ipvs', { argv: commands.kubeadm, ...ipvsFile('kubeadm.yaml') }],
  ['kubespray', { argv: commands.kubeadm, file: 'kubespray.yaml' }],
  ["kubespray's input", { argv: commands.kubeadm, file: 'kubespray-input.yaml' }],
  ['Gardener', { argv: commands.gardener, file: 'gardener.yaml' }],
  [
    'Gardener on control-plane nodes',
    { argv: [...commands.gardener, '--master=https://localhost:443'], file: 'gardener.yaml' },
  ],
  ['kOps', { argv: commands.kops }],
  ['kOps before v1.23', { argv: [...commands.kops, ...kopsLogFlags] }],
  ['RKE2', { argv: commands.rke2 }],
  ['k3s', { argv: [...commands.k3s, '--proxy-mode=ipvs'] }],
  ['EKS', { argv: commands.eks, ...ipvsFile('eks.yaml') }],
  ['EKS without the last flag', { argv: commands.eks.slice(0, 2), ...ipvsFile('eks.yaml') }],
  ['ACK', { argv: commands.kubeadm, file: 'ack.yaml' }],
  ['the community chart', { argv: commands.chart, ...ipvsFile('chart.yaml') }],
])('%s', async (_, installer) => {
  const { settings, violations } = start(installer);
  expect(violations).toEqual([]);
  const config = effective(settings, 'Host');
  // The probes of installers and cloud controllers ask here.
  expect([config.healthz?.port, config.metrics?.port]).toEqual([10_256, 10_249]);
  const program = await AssembledProgram.start(config);
  onTestFinished(() => program.stop());
  const health = await program.url('health server');
  expect(await statuses(health, '/livez', '/healthz', '/readyz')).toEqual([200, 503, 503]);

  program.report(
    setNode(node({ name: config.nodeName })),
    setService(service()),
    setSlice(slice([endpoint('10.0.0.1', { nodeName: config.nodeName })])),
  );
  await program.sync();
  const { ipvs, firewall } = program.kernel;
  expect(ipvs.dump()).toContain(`-A -t 172.30.0.1:80 -s ${config.scheduler}`);
  expect(ipvs.dump()).toContain('-r 10.0.0.1:8080');
  expect(firewall.dump('IPv4')).toContain('KUBE-SERVICES');
  expect(program.log.lines().filter((line) => line.startsWith('error'))).toEqual([]);

  expect(await statuses(health, '/livez', '/healthz', '/readyz')).toEqual([200, 200, 200]);
  const metrics = await program.url('metrics server');
  expect(await get(`${metrics}/healthz`)).toMatchObject({ status: 200, body: 'ok' });
  expect(await get(`${metrics}/proxyMode`)).toMatchObject({ status: 200, body: 'ipvs' });
  const scraped = await get(`${metrics}/metrics`);
  expect(scraped.status).toBe(200);
  expect(scraped.body).toMatch(/^kubeproxy_sync_proxy_rules_endpoint_changes_total 1$/m);
  expect(scraped.body).toMatch(
    /^kubernetes_build_info\{(?=.*\bmajor="1")(?=.*\bminor="37")(?=.*\bgit_version="v1\.37\.0\+).*\} 1$/m,
  );
});

async function statuses(server: string, ...paths: readonly string[]): Promise<readonly number[]> {
  const answers = await Promise.all(paths.map((path) => get(`${server}${path}`)));
  return answers.map(({ status }) => status);
}
