import type { IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';

/**
 * What an operator can say, as text and numbers: the fields of `KubeProxyConfiguration` that there are so
 * far, under their names in the file, and `master`, which only the command line has. Durations are
 * milliseconds.
 */
export interface Configuration {
  readonly master: string;
  readonly clientConnection: { readonly kubeconfig: string };
  readonly hostnameOverride: string;
  readonly bindAddress: string;
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  readonly mode: string;
  readonly iptables: { readonly masqueradeAll: boolean; readonly masqueradeBit: number };
  readonly ipvs: {
    readonly manifests: string;
    readonly scheduler: string;
    readonly excludeCIDRs: readonly string[];
    readonly syncPeriod: number;
    readonly minSyncPeriod: number;
    readonly gracefulTermination: string;
    readonly drainTimeout: number;
    readonly resetWaitingClients: boolean;
    readonly restoreSysctls: boolean;
    readonly serviceAnnotations: boolean;
  };
  readonly detectLocalMode: string;
  readonly detectLocal: {
    readonly bridgeInterface: string;
    readonly interfaceNamePrefix: string;
  };
  readonly clusterCIDR: string;
  readonly logging: { readonly verbosity: number };
}

/** The configuration of somebody who says nothing. */
export const defaults: Configuration = {
  master: '',
  clientConnection: { kubeconfig: '' },
  hostnameOverride: '',
  bindAddress: '0.0.0.0',
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  mode: '',
  iptables: { masqueradeAll: false, masqueradeBit: 14 },
  ipvs: {
    manifests: '',
    scheduler: '',
    excludeCIDRs: [],
    syncPeriod: 30_000,
    minSyncPeriod: 0,
    gracefulTermination: 'pod',
    drainTimeout: 900_000,
    resetWaitingClients: true,
    restoreSysctls: true,
    serviceAnnotations: false,
  },
  detectLocalMode: '',
  detectLocal: { bridgeInterface: '', interfaceNamePrefix: '' },
  clusterCIDR: '',
  logging: { verbosity: 0 },
};

/** Where a server listens if nothing was said and the node's own address is an IPv6 one. */
export const defaultsIPv6 = {
  healthzBindAddress: '[::]:10256',
  metricsBindAddress: '[::1]:10249',
} as const satisfies Partial<Configuration>;

/** Where a server listens. */
export interface ListenAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** How packets of this node's pods are told from others. */
export type DetectLocal =
  | { readonly mode: 'ClusterCIDR'; readonly cidrs: readonly Prefix[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface'; readonly interfaceName: string }
  | { readonly mode: 'InterfaceNamePrefix'; readonly prefix: string };

/** Whose rules end a drain. */
export const drainModes = ['pod', 'connections'] as const;

/** Where the API objects come from. */
export type ObjectSource =
  | { readonly type: 'api'; readonly kubeconfig: string; readonly master: string }
  | { readonly type: 'manifests'; readonly path: string };

/** What the program works by: a valid {@link Configuration}, read. Durations are milliseconds. */
export interface ProxyConfig {
  readonly nodeName: string;
  readonly source: ObjectSource;
  /** Stands for the node's primary address unless it is unspecified; nothing is bound to it. */
  readonly bindAddress: IpAddress;
  /** `undefined`: no such server. */
  readonly healthz: ListenAddress | undefined;
  /** `undefined`: no such server. */
  readonly metrics: ListenAddress | undefined;
  readonly scheduler: string;
  /** Virtual servers in these networks belong to somebody else. */
  readonly excludeCIDRs: readonly Prefix[];
  readonly syncPeriod: number;
  readonly minSyncPeriod: number;
  readonly drainMode: (typeof drainModes)[number];
  /** 0: no limit. */
  readonly drainTimeout: number;
  readonly resetWaitingClients: boolean;
  /** Kernel settings that another program changes are set again. */
  readonly restoreSysctls: boolean;
  /** Annotations of Services count. */
  readonly serviceAnnotations: boolean;
  readonly masqueradeAll: boolean;
  /** Which bit of the packet mark says "masquerade", 0–31. */
  readonly masqueradeBit: number;
  readonly detectLocal: DetectLocal;
  readonly verbosity: number;
  /** What the operator should be told once; the program runs all the same. */
  readonly warnings: readonly string[];
}
