import { describe, expect, test } from 'vitest';
import {
  commands,
  type Installer,
  kopsLogFlags,
  start,
  toIpvs,
} from '../../test/support/installers.ts';
import { effective } from './effective.ts';
import type { ProxyConfig } from './types.ts';
import { printViolation } from './validate.ts';

// The commands and files of installers, untouched; those for another mode with no more than the mode changed.

const usual = {
  nodeName: 'node-7',
  scheduler: 'rr',
  syncPeriod: 30_000,
  minSyncPeriod: 0,
  masqueradeBit: 14,
  oomScoreAdj: -999,
  healthz: { address: '0.0.0.0', port: 10_256 },
  metrics: { address: '127.0.0.1', port: 10_249 },
  bindAddress: '0.0.0.0',
};
const kubeadmClient = '/var/lib/kube-proxy/kubeconfig.conf';
const contentTypes = 'application/vnd.kubernetes.protobuf';
const api = (kubeconfig: string, master = '') => ({
  source: { type: 'api', kubeconfig, master, contentTypes },
});
const local = (address: string, length: number) => ({
  detectLocal: { mode: 'ClusterCIDR', cidrs: [{ address, length }] },
});
const noMode = 'no proxy mode given; using ipvs, the only one there is';
const lenient = 'using lenient decoding: the configuration file has unknown fields';
const beside = 'flags do not count beside --config';
const noEffect = 'options have no effect here';

type Expected = Readonly<Record<string, unknown>> & Partial<Record<keyof ProxyConfig, unknown>>;

describe('starts as it is', () => {
  test.each<[string, Installer, Expected, string[]]>([
    [
      'kubeadm until v1.36',
      { argv: commands.kubeadm, file: 'kubeadm.yaml' },
      { ...usual, ...api(kubeadmClient), ...local('10.244.0.0', 16) },
      [noMode],
    ],
    [
      'kubeadm with mode ipvs and strictARP, as MetalLB wants it',
      {
        argv: commands.kubeadm,
        file: 'kubeadm.yaml',
        edit: (text) => toIpvs(text).replace('strictARP: false', 'strictARP: true'),
      },
      { ...usual, strictARP: true },
      [],
    ],
    [
      'kubeadm on IPv6',
      {
        argv: commands.kubeadm,
        file: 'kubeadm.yaml',
        edit: (text) => toIpvs(text).replace('bindAddress: 0.0.0.0', "bindAddress: '::'"),
      },
      {
        bindAddress: '::',
        healthz: { address: '::', port: 10_256 },
        metrics: { address: '::1', port: 10_249 },
      },
      [],
    ],
    [
      'kubespray, whose file names one node for all',
      { argv: commands.kubeadm, file: 'kubespray.yaml' },
      { ...usual, ...api(kubeadmClient), ...local('10.233.64.0', 18) },
      [],
    ],
    ["kubespray's input", { argv: commands.kubeadm, file: 'kubespray-input.yaml' }, usual, []],
    [
      'Gardener',
      { argv: commands.gardener, file: 'gardener.yaml' },
      {
        ...usual,
        ...api('/var/lib/kube-proxy-kubeconfig/kubeconfig'),
        nodeName: 'host',
        detectLocal: { mode: 'ClusterCIDR', cidrs: [] },
        metrics: { address: '0.0.0.0', port: 10_249 },
      },
      [],
    ],
    [
      'Gardener on control-plane nodes',
      { argv: [...commands.gardener, '--master=https://localhost:443'], file: 'gardener.yaml' },
      api('/var/lib/kube-proxy-kubeconfig/kubeconfig', 'https://localhost:443'),
      [],
    ],
    [
      'Gardener, the second init container',
      { argv: [...commands.gardener, '--init-only'], file: 'gardener.yaml' },
      { settings: expect.objectContaining({ '--init-only': true }) },
      [],
    ],
    ...(['ipvs', 'iptables', 'nftables'] as const).map(
      (mode): [string, Installer, Expected, string[]] => [
        `Gardener, the first init container after mode ${mode}`,
        { argv: [...commands.gardenerCleanup, `--proxy-mode=${mode}`], file: 'gardener.yaml' },
        { settings: expect.objectContaining({ '--cleanup': true }) },
        [`${beside}: --proxy-mode`],
      ],
    ),
    [
      'kOps',
      { argv: commands.kops },
      {
        ...usual,
        ...api('/var/lib/kube-proxy/kubeconfig', 'https://api.internal.example.com'),
        ...local('100.96.0.0', 11),
        scheduler: 'wrr',
        excludeCIDRs: [{ address: '10.9.0.0', length: 16 }],
        oomScoreAdj: -998,
      },
      [],
    ],
    [
      'kOps before v1.23',
      { argv: [...commands.kops, ...kopsLogFlags] },
      { scheduler: 'wrr' },
      [`${noEffect}: --alsologtostderr, --log-file, --logtostderr`],
    ],
    [
      'RKE2',
      { argv: commands.rke2 },
      {
        ...usual,
        ...api('/var/lib/rancher/rke2/agent/kubeproxy.kubeconfig'),
        healthz: { address: '127.0.0.1', port: 10_256 },
      },
      [],
    ],
    [
      'k3s with a log file, and no mode',
      { argv: [...commands.k3s, '--log_file=/l', '--alsologtostderr=true'] },
      { ...usual, ...local('10.42.0.0', 16), healthz: { address: '127.0.0.1', port: 10_256 } },
      [`${noEffect}: --alsologtostderr, --log-file`, noMode],
    ],
    [
      'k3s on IPv6 nodes',
      { argv: [...commands.k3s, '--healthz-bind-address=::1', '--proxy-mode=ipvs'] },
      { healthz: { address: '::1', port: 10_256 } },
      [],
    ],
    [
      'EKS with mode ipvs',
      { argv: commands.eks, file: 'eks.yaml', edit: toIpvs },
      { ...usual, ...api('/var/lib/kube-proxy/kubeconfig'), oomScoreAdj: -998 },
      [`${lenient}: conntrack.max, resourceContainer, udpIdleTimeout`],
    ],
    [
      'EKS with the values of an add-on that ask for mode ipvs',
      {
        argv: commands.eks,
        file: 'eks.yaml',
        edit: (text) =>
          text
            .replace('mode: "iptables"', 'mode: "ipvs"')
            .replace('scheduler: ""', 'scheduler: "rr"'),
      },
      {
        ...usual,
        oomScoreAdj: -998,
        settings: expect.objectContaining({ mode: 'ipvs', 'ipvs.scheduler': 'rr' }),
      },
      [`${lenient}: conntrack.max, resourceContainer, udpIdleTimeout`],
    ],
    [
      'EKS with flags beside the file, and no name',
      {
        argv: [
          ...commands.eks.slice(0, 2),
          ...['--conntrack-max-per-core=0', '--conntrack-min=0', '--iptables-sync-period=20s'],
        ],
        file: 'eks.yaml',
        edit: toIpvs,
      },
      { nodeName: 'host' },
      [
        `${beside}: --conntrack-max-per-core, --conntrack-min, --iptables-sync-period`,
        `${lenient}: conntrack.max, resourceContainer, udpIdleTimeout`,
      ],
    ],
    [
      'EKS years ago',
      { argv: ['--resource-container=', '--oom-score-adj=-998', '--master=https://m', '--v=2'] },
      { oomScoreAdj: -998 },
      ['flags that no longer exist are ignored: --resource-container', noMode],
    ],
    [
      'ACK',
      { argv: commands.kubeadm, file: 'ack.yaml' },
      { ...usual, ...api(kubeadmClient), ...local('172.20.0.0', 16) },
      [],
    ],
    [
      'ACK with a gate that is long gone, and a timeout',
      {
        argv: commands.kubeadm,
        file: 'ack.yaml',
        edit: (text) =>
          `${text.replace('featureGates:', 'featureGates: {IPv6DualStack: true}')}ipvs: {udpTimeout: 10s}\n`,
      },
      { ipvsTimeouts: { tcp: 0, tcpFin: 0, udp: 10 } },
      ['unknown feature gate IPv6DualStack has no effect'],
    ],
    [
      'the community commands.chart with mode ipvs',
      { argv: [...commands.chart, '--init-only'], file: 'chart.yaml', edit: toIpvs },
      { ...usual, oomScoreAdj: -998 },
      [],
    ],
  ])('%s', (_, installer, expected, reported) => {
    const { settings, violations, notices } = start(installer);
    expect(violations.map(printViolation)).toEqual([]);
    expect(effective(settings, 'Host')).toMatchObject(expected);
    const lines = notices.map(({ message, details }) =>
      [message, ...Object.values(details ?? {})].join(': '),
    );
    expect(lines).toEqual(reported);
  });
});

test('the limits of conntrack come through', () => {
  const limits = (installer: Installer) => effective(start(installer).settings, 'h').conntrack;
  expect(limits({ argv: commands.kubeadm, file: 'kubeadm.yaml' })).toMatchObject({
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeout: 86_400_000,
    tcpCloseWaitTimeout: 3_600_000,
  });
  expect(limits({ argv: commands.gardener, file: 'gardener.yaml' }).maxPerCore).toBe(524_288);
  expect(limits({ argv: commands.kubeadm, file: 'ack.yaml' }).maxPerCore).toBe(65_536);
  expect(limits({ argv: commands.kops }).maxPerCore).toBe(131_072);
  expect(limits({ argv: commands.k3s })).toMatchObject({
    maxPerCore: 0,
    tcpEstablishedTimeout: 0,
    tcpCloseWaitTimeout: 0,
  });
});

describe('another mode is the one error, and names the alternative', () => {
  test.each<[string, Installer, string]>([
    [
      'kubeadm from v1.37 on',
      {
        argv: commands.kubeadm,
        file: 'kubeadm.yaml',
        edit: (text) => text.replace('mode: ""', 'mode: iptables'),
      },
      'iptables',
    ],
    ['EKS', { argv: commands.eks, file: 'eks.yaml' }, 'iptables'],
    ['the community chart', { argv: commands.chart, file: 'chart.yaml' }, 'nftables'],
    ['k3s', { argv: [...commands.k3s, '--proxy-mode=iptables'] }, 'iptables'],
  ])('%s', (_, installer, mode) => {
    expect(start(installer).violations.map(printViolation)).toEqual([
      `KubeProxyConfiguration.mode: Invalid value: "${mode}": this program knows ipvs only: set ipvs here, or run upstream's kube-proxy for ${mode}`,
    ]);
  });
});
