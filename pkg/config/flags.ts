import { type Flag, field } from './flag.ts';

/**
 * Every flag, in the order of the help. A flag more is a row more: its field says where its value goes,
 * what its default is and what its type must be.
 */
export const flags: readonly Flag[] = [
  {
    ...field('kubeconfig', 'string', 'clientConnection.kubeconfig'),
    group: 'Kubernetes API',
    help: "Path of a kubeconfig. Without it and --master, the pod's own service account is used.",
  },
  {
    ...field('master', 'string', 'master'),
    group: 'Kubernetes API',
    help: "Address of the API server; overrides the kubeconfig's.",
  },
  {
    ...field('hostname-override', 'string', 'hostnameOverride'),
    group: 'Kubernetes API',
    help: "Name of this node. Empty: the machine's host name.",
  },
  {
    ...field('proxy-mode', 'string', 'mode'),
    group: 'Proxy',
    help: 'How packets are balanced. This program knows ipvs only; empty means ipvs.',
  },
  {
    ...field('masquerade-all', 'bool', 'iptables.masqueradeAll'),
    group: 'Proxy',
    help: 'Masquerade everything that is sent to a cluster IP.',
  },
  {
    ...field('iptables-masquerade-bit', 'int32', 'iptables.masqueradeBit'),
    group: 'Proxy',
    help: 'Bit of the packet mark that asks for masquerading, from 0 to 31.',
  },
  {
    ...field('bind-address', 'string', 'bindAddress'),
    group: 'Proxy',
    help: "Overrides the node's primary address; nothing is bound to it.",
  },
  {
    ...field('ipvs-scheduler', 'string', 'ipvs.scheduler'),
    group: 'IPVS',
    help: 'Any scheduler that the kernel knows. Empty means rr.',
  },
  {
    ...field('ipvs-exclude-cidrs', 'strings', 'ipvs.excludeCIDRs'),
    group: 'IPVS',
    help: 'Networks whose virtual servers are left alone, by comma or by repetition.',
  },
  {
    ...field('ipvs-sync-period', 'duration', 'ipvs.syncPeriod'),
    group: 'IPVS',
    help: 'How often the kernel is compared with what should be there.',
  },
  {
    ...field('ipvs-min-sync-period', 'duration', 'ipvs.minSyncPeriod'),
    group: 'IPVS',
    help: 'How long changes are gathered after a sync. A change after a quiet spell never waits.',
  },
  {
    ...field('ipvs-manifests', 'string', 'ipvs.manifests'),
    group: 'IPVS',
    help: 'File or folder of Services, EndpointSlices and Nodes to use in place of the API.',
  },
  {
    ...field('ipvs-graceful-termination', 'string', 'ipvs.gracefulTermination'),
    group: 'IPVS',
    help: "Whose rules end a drain: pod, this program's, or connections, those of upstream's kube-proxy.",
  },
  {
    ...field('ipvs-drain-timeout', 'duration', 'ipvs.drainTimeout'),
    group: 'IPVS',
    help: 'How long a server whose pod is dying or has left may drain after its last sign of life. 0: no limit.',
  },
  {
    ...field('ipvs-reset-waiting-clients', 'bool', 'ipvs.resetWaitingClients'),
    group: 'IPVS',
    help: 'Tell clients that only wait when their server is taken away.',
  },
  {
    ...field('ipvs-restore-sysctls', 'bool', 'ipvs.restoreSysctls'),
    group: 'IPVS',
    help: 'Set kernel settings that IPVS mode needs again when another program has changed them.',
  },
  {
    ...field('ipvs-service-annotations', 'bool', 'ipvs.serviceAnnotations'),
    group: 'IPVS',
    help: 'Let Services say with annotations under ipvs.kube-proxy.io/ what is to hold for them.',
  },
  {
    ...field('detect-local-mode', 'string', 'detectLocalMode'),
    group: "Telling the node's own pods",
    help: 'ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix. Empty means ClusterCIDR.',
  },
  {
    ...field('cluster-cidr', 'string', 'clusterCIDR'),
    group: "Telling the node's own pods",
    help: 'Network of the pods, or one of each family with a comma; for ClusterCIDR.',
  },
  {
    ...field('pod-bridge-interface', 'string', 'detectLocal.bridgeInterface'),
    group: "Telling the node's own pods",
    help: 'Bridge that the pods are attached to; for BridgeInterface.',
  },
  {
    ...field('pod-interface-name-prefix', 'string', 'detectLocal.interfaceNamePrefix'),
    group: "Telling the node's own pods",
    help: "How the names of the pods' interfaces begin; for InterfaceNamePrefix.",
  },
  {
    ...field('healthz-bind-address', 'string', 'healthzBindAddress'),
    group: 'Health and metrics',
    help: 'Address and port of the health server; port 10256 if it has none. Empty: no server.',
  },
  {
    ...field('metrics-bind-address', 'string', 'metricsBindAddress'),
    group: 'Health and metrics',
    help: 'Address and port of the metrics server; port 10249 if it has none. Empty: no server.',
  },
  {
    ...field('v', 'int32', 'logging.verbosity'),
    group: 'Other',
    shorthand: 'v',
    help: 'How much is logged: 0 is the least.',
  },
  {
    name: 'version',
    type: 'version',
    group: 'Other',
    help: 'Print the version and exit; with =raw, all that is known of it.',
  },
  {
    name: 'help',
    type: 'bool',
    shorthand: 'h',
    group: 'Other',
    help: 'Print this and exit.',
  },
];
