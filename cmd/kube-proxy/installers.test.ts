import { afterEach, expect, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { families } from '../../pkg/ip/address.ts';
import {
  chart,
  eks,
  gardener,
  type Installer,
  k3s,
  kops,
  kubeadm,
  logFile,
  rke2,
  start,
  toIpvs,
} from '../../test/support/installers.ts';
import { endpoint, node, service, slice } from '../../test/support/objects.ts';
import { Stand, setNode, setService, setSlice } from '../../test/support/proxier.ts';
import { proxierSettings } from './proxier-settings.ts';

// Each installer's command and file starts a proxier, which serves a Service on a kernel in memory.

let stand: Stand | undefined;

afterEach(async () => {
  await stand?.stop();
  stand = undefined;
});

const ipvsFile = (file: string) => ({ file, edit: toIpvs });

test.each<[string, Installer]>([
  ['kubeadm', { argv: kubeadm, file: 'kubeadm.yaml' }],
  ['kubeadm with mode ipvs', { argv: kubeadm, ...ipvsFile('kubeadm.yaml') }],
  ['kubespray', { argv: kubeadm, file: 'kubespray.yaml' }],
  ["kubespray's input", { argv: kubeadm, file: 'kubespray-input.yaml' }],
  ['Gardener', { argv: gardener, file: 'gardener.yaml' }],
  [
    'Gardener on control-plane nodes',
    { argv: [...gardener, '--master=https://localhost:443'], file: 'gardener.yaml' },
  ],
  ['kOps', { argv: kops }],
  ['kOps before v1.23', { argv: [...kops, ...logFile] }],
  ['RKE2', { argv: rke2 }],
  ['k3s', { argv: [...k3s, '--proxy-mode=ipvs'] }],
  ['EKS', { argv: eks, ...ipvsFile('eks.yaml') }],
  ['EKS without the last flag', { argv: eks.slice(0, 2), ...ipvsFile('eks.yaml') }],
  ['ACK', { argv: kubeadm, file: 'ack.yaml' }],
  ['the community chart', { argv: chart, ...ipvsFile('chart.yaml') }],
])('%s', async (_, installer) => {
  const { settings, violations } = start(installer);
  expect(violations).toEqual([]);
  const config = effective(settings, 'Host');
  stand = new Stand(proxierSettings(config, families));
  stand.report(
    setNode(node({ name: config.nodeName })),
    setService(service()),
    setSlice(slice([endpoint('10.0.0.1', { nodeName: config.nodeName })])),
  );
  await stand.sync();
  expect(stand.reports.isFirstSyncDone).toBe(true);
  expect(stand.kernel.ipvs.dump()).toContain(`-A -t 172.30.0.1:80 -s ${config.scheduler}`);
  expect(stand.kernel.ipvs.dump()).toContain('-r 10.0.0.1:8080');
  expect(stand.kernel.firewall.dump('IPv4')).toContain('KUBE-SERVICES');
  const log = stand.log.lines();
  expect(log.filter((line) => line.startsWith('error'))).toEqual([]);
});
