import type { IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { drainModes } from './fields/ipvs.ts';
import type { Settings } from './fields.ts';
import type { ListenAddress } from './listen-address.ts';

/** How packets of this node's pods are told from others. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface'; readonly interfaceName: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly prefix: string };

/** Where the API objects come from. */
export type ObjectSource =
  | {
      readonly type: 'api';
      readonly kubeconfig: string;
      readonly master: string;
      /** The content types that lists and watches may have, with commas between them. */
      readonly contentTypes: string;
    }
  | { readonly type: 'manifests'; readonly path: string };

/** What conntrack is to be; times are milliseconds, and 0 or false leaves a setting as it is. */
export interface ConntrackConfig {
  /** Entries for each CPU. */
  readonly maxPerCore: number;
  /** Entries at least, unless `maxPerCore` is 0. */
  readonly min: number;
  readonly tcpEstablishedTimeout: number;
  readonly tcpCloseWaitTimeout: number;
  readonly tcpBeLiberal: boolean;
  readonly udpTimeout: number;
  readonly udpStreamTimeout: number;
}

/** What the program works by: valid {@link Settings}, read. Durations are milliseconds unless said otherwise. */
export interface ProxyConfig {
  /** What `/configz` shows. */
  readonly settings: Settings;
  readonly nodeName: string;
  readonly source: ObjectSource;
  /** Stands for the node's primary address unless it is unspecified; nothing is bound to it. */
  readonly bindAddress: IpAddress;
  /** Where node ports are served, `primary` for the node's own addresses; empty for every address. */
  readonly nodePortAddresses: readonly (Prefix | 'primary')[];
  /** `undefined`: no such server. */
  readonly healthz: ListenAddress | undefined;
  /** `undefined`: no such server. */
  readonly metrics: ListenAddress | undefined;
  /** A server that cannot listen ends the program. */
  readonly bindAddressHardFail: boolean;
  readonly scheduler: string;
  /** Whether `spec.externalIPs` of Services are served (gate `AllowServiceExternalIPs`). */
  readonly externalIPs: boolean;
  /** Virtual servers in these networks belong to somebody else. */
  readonly excludeCIDRs: readonly Prefix[];
  /** The node answers ARP for an address on the device that has it, and on no other. */
  readonly strictARP: boolean;
  readonly syncPeriod: number;
  readonly minSyncPeriod: number;
  /** Whole seconds; 0 leaves one as the kernel has it. */
  readonly ipvsTimeouts: { readonly tcp: number; readonly tcpFin: number; readonly udp: number };
  readonly drainMode: (typeof drainModes)[number];
  /** 0: no limit. */
  readonly drainTimeout: number;
  readonly resetWaitingClients: boolean;
  /** Kernel settings that another program changes are set again. */
  readonly restoreSysctls: boolean;
  /** Annotations of Services count. */
  readonly serviceAnnotations: boolean;
  /** `/metrics` shows the traffic of Services. */
  readonly serviceMetrics: boolean;
  readonly masqueradeAll: boolean;
  /** Which bit of the packet mark says "masquerade", 0–31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  readonly conntrack: ConntrackConfig;
  readonly oomScoreAdj: number;
}
