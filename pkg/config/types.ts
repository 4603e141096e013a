import type { IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { drainModes, estimationModes, vipBindings } from './fields/ipvs.ts';
import type { Settings } from './fields.ts';
import type { ListenAddress } from './listen-address.ts';

/** How packets of this node's pods are recognised. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface'; readonly interfaceName: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly prefix: string };

/** The source of the API objects. */
export type ObjectSource =
  | {
      readonly type: 'api';
      readonly kubeconfig: string;
      readonly master: string;
      /** The content types that lists and watches may have, separated by commas. */
      readonly contentTypes: string;
    }
  | { readonly type: 'manifests'; readonly path: string };

/** The settings of conntrack. Times are milliseconds; 0 or false leaves a setting unchanged. */
export interface ConntrackConfig {
  /** The number of entries for each CPU. */
  readonly maxPerCore: number;
  /** The smallest number of entries, unless `maxPerCore` is 0. */
  readonly min: number;
  readonly tcpEstablishedTimeout: number;
  readonly tcpCloseWaitTimeout: number;
  readonly tcpBeLiberal: boolean;
  readonly udpTimeout: number;
  readonly udpStreamTimeout: number;
}

/** The program's configuration, from valid {@link Settings}. Durations are milliseconds unless said otherwise. */
export interface ProxyConfig {
  /** For `/configz`. */
  readonly settings: Settings;
  readonly nodeName: string;
  readonly source: ObjectSource;
  /** The node's primary address unless it is unspecified. Nothing is bound to it. */
  readonly bindAddress: IpAddress;
  /** Where node ports are served; `primary` is the node's own addresses, an empty list is every address. */
  readonly nodePortAddresses: readonly (Prefix | 'primary')[];
  /** `undefined` for no such server. */
  readonly healthz: ListenAddress | undefined;
  /** `undefined` for no such server. */
  readonly metrics: ListenAddress | undefined;
  /** Whether the program ends if a server cannot listen. */
  readonly bindAddressHardFail: boolean;
  readonly scheduler: string;
  /** Whether `spec.externalIPs` of Services are served (gate `AllowServiceExternalIPs`). */
  readonly externalIPs: boolean;
  /** Networks whose virtual servers are left alone. */
  readonly excludeCIDRs: readonly Prefix[];
  /** Whether the node answers ARP for an address only on the device that has it. */
  readonly strictARP: boolean;
  /** How VIPs become the node's own. */
  readonly vipBinding: (typeof vipBindings)[number];
  /** Networks whose addresses are all VIPs. */
  readonly serviceClusterIPRange: readonly Prefix[];
  readonly syncPeriod: number;
  readonly minSyncPeriod: number;
  /** In whole seconds; 0 leaves one unchanged. */
  readonly ipvsTimeouts: { readonly tcp: number; readonly tcpFin: number; readonly udp: number };
  readonly drainMode: (typeof drainModes)[number];
  /** 0 for no limit. */
  readonly drainTimeout: number;
  readonly resetWaitingClients: boolean;
  /** Whether kernel settings that another program changes are set again. */
  readonly restoreSysctls: boolean;
  readonly estimation: (typeof estimationModes)[number];
  /** Whether annotations of Services are read. */
  readonly serviceAnnotations: boolean;
  /** Whether `/metrics` shows the traffic of Services. */
  readonly serviceMetrics: boolean;
  /** Whether `/debug/ipvs` is served to clients that are not on loopback. */
  readonly statusPage: boolean;
  readonly masqueradeAll: boolean;
  /** The bit of the packet mark for masquerading, 0–31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  readonly conntrack: ConntrackConfig;
  readonly oomScoreAdj: number;
}
