import { each, isPrefix, isVipRange, must, notNegative, positive } from '../checks.ts';
import { field } from '../field.ts';
import { bool, duration, strings, text } from '../value-types.ts';

const group = 'IPVS';

/** The rules by which drains end. */
export const drainModes = ['pod', 'connections'] as const;

/** What is done with the kernel's estimator. */
export const estimationModes = ['auto', 'on', 'off'] as const;

/** The ways in which VIPs become the node's own. */
export const vipBindings = ['address', 'route'] as const;

/** The options of IPVS mode: upstream's, then those of this program alone. */
export const ipvsFields = {
  'ipvs.scheduler': field(text, {
    flag: 'ipvs-scheduler',
    group,
    help: 'Any scheduler that the kernel knows. Empty means rr.',
  }),
  'ipvs.excludeCIDRs': field(strings, {
    flag: 'ipvs-exclude-cidrs',
    group,
    help: 'Networks whose virtual servers are left alone, by comma or by repetition.',
    check: each('must be a valid CIDR', isPrefix),
  }),
  'ipvs.strictARP': field(bool, {
    flag: 'ipvs-strict-arp',
    group,
    help: 'Set arp_ignore to 1 and arp_announce to 2, as MetalLB in layer 2 mode needs it.',
  }),
  'ipvs.syncPeriod': field(duration, {
    flag: 'ipvs-sync-period',
    default: 30_000,
    zeroIsDefault: true,
    group,
    help: 'How often the kernel is compared with what should be there.',
    check: positive,
  }),
  'ipvs.minSyncPeriod': field(duration, {
    flag: 'ipvs-min-sync-period',
    group,
    help: 'How long changes are gathered after a sync. A change after a quiet spell never waits.',
    check: notNegative,
  }),
  'ipvs.tcpTimeout': field(duration, {
    flag: 'ipvs-tcp-timeout',
    group,
    help: 'When IPVS forgets an idle TCP connection, in whole seconds. 0: as the kernel has it.',
    check: notNegative,
  }),
  'ipvs.tcpFinTimeout': field(duration, {
    flag: 'ipvs-tcpfin-timeout',
    group,
    help: 'When IPVS forgets a TCP connection after a FIN, in whole seconds. 0: as the kernel has it.',
    check: notNegative,
  }),
  'ipvs.udpTimeout': field(duration, {
    flag: 'ipvs-udp-timeout',
    group,
    help: 'When IPVS forgets a client that sends by UDP, in whole seconds. 0: as the kernel has it.',
    check: notNegative,
  }),
  'ipvs.manifests': field(text, {
    flag: 'ipvs-manifests',
    countsBesideFile: true,
    group,
    help: 'File or folder of Services, EndpointSlices and Nodes to use in place of the API.',
  }),
  'ipvs.gracefulTermination': field(text, {
    flag: 'ipvs-graceful-termination',
    default: 'pod',
    zeroIsDefault: true,
    group,
    help: "Whose rules end a drain: pod, this program's, or connections, those of upstream's kube-proxy.",
    check: must(`must be ${drainModes.join(' or ')}`, isDrainMode),
  }),
  'ipvs.drainTimeout': field(duration, {
    flag: 'ipvs-drain-timeout',
    default: 900_000,
    group,
    help: 'How long a real server whose pod terminates or has left may drain after the last packet that it sent. 0: no limit.',
    check: notNegative,
  }),
  'ipvs.resetWaitingClients': field(bool, {
    flag: 'ipvs-reset-waiting-clients',
    default: true,
    group,
    help: 'Tell clients that only wait when their server is taken away.',
  }),
  'ipvs.vipBinding': field(text, {
    flag: 'ipvs-vip-binding',
    default: 'address',
    zeroIsDefault: true,
    group,
    help: 'How VIPs become local: address, on kube-ipvs0 as with upstream, or route, by local routes, which are made in linear time.',
    check: must(`must be ${vipBindings.join(' or ')}`, (value) =>
      vipBindings.some((one) => one === value),
    ),
  }),
  'ipvs.serviceClusterIPRange': field(strings, {
    flag: 'ipvs-service-cluster-ip-range',
    group,
    help: 'Networks of ClusterIPs, as the API server has them. With vipBinding route each gets one route in place of one for each VIP.',
    check: each(
      'must be a CIDR from /8 on, with several addresses and without bits of a host',
      isVipRange,
    ),
  }),
  'ipvs.restoreSysctls': field(bool, {
    flag: 'ipvs-restore-sysctls',
    default: true,
    group,
    help: 'Set kernel settings that IPVS mode needs again when another program has changed them.',
  }),
  'ipvs.estimation': field(text, {
    flag: 'ipvs-estimation',
    default: 'auto',
    zeroIsDefault: true,
    group,
    help: "The kernel's estimator, which adds up IPVS's counters. auto: as it is, on CPUs that this process may use, with less priority than packets. on: the same, and switched on. off: switched off; drains then get no sign of life.",
    check: must('must be auto, on or off', isEstimationMode),
  }),
  'ipvs.serviceAnnotations': field(bool, {
    flag: 'ipvs-service-annotations',
    group,
    help: 'Let Services say with annotations under ipvs.kube-proxy.io/ what is to hold for them.',
  }),
  'ipvs.serviceMetrics': field(bool, {
    flag: 'ipvs-service-metrics',
    group,
    help: 'Show connections, packets and bytes of each Service in /metrics; read when somebody scrapes.',
  }),
  'ipvs.statusPage': field(bool, {
    flag: 'ipvs-status-page',
    group,
    help: 'Serve /debug/ipvs and the page /debug/ipvs/ to whoever reaches the metrics server, in place of clients on loopback only.',
  }),
};

function isEstimationMode(value: string): boolean {
  return estimationModes.some((mode) => mode === value);
}

function isDrainMode(value: string): boolean {
  return drainModes.some((mode) => mode === value);
}
