import type { IpvsConnections } from '../connections/connections.ts';
import type { Conntrack } from '../conntrack/conntrack.ts';
import type { Firewall, RuleTables } from '../firewall/firewall.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { ServiceOptions } from '../kube/annotations.ts';
import type { Kind, Service } from '../kube/types.ts';
import type { Links } from '../links/links.ts';
import type { Logger } from '../log/log.ts';
import type { Neighbours } from '../neighbours/neighbours.ts';
import type { NftTables } from '../nftables/nftables.ts';
import type { Resetter } from '../reset/reset.ts';
import type { Routes } from '../routes/routes.ts';
import type { Clock } from '../runner/clock.ts';
import type { ProgressBoard } from '../runner/progress.ts';
import type { RuleSettings } from './apply/rule-source.ts';
import type { NodePortNetwork } from './desired/node-port-addresses.ts';
import type { VipBinding } from './desired/vip-routes.ts';
import type { DrainMode } from './graceful/policy.ts';
import type { SingleOperation } from './plan/operation.ts';
import type { Reporter } from './reporter.ts';
import type { KeptSettings } from './settings/kernel-settings.ts';

/** The interfaces through which a proxier reaches the kernel. */
export interface Kernel {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly routes: Routes;
  readonly firewall: Firewall;
  /** The rules of everybody, and the tables of nf_tables: other modes of kube-proxy may have left some. */
  readonly ruleTables: RuleTables;
  readonly nftTables: NftTables;
  readonly conntrack: Conntrack;
  readonly connections: IpvsConnections;
  readonly neighbours: Neighbours;
  readonly resetter: Resetter;
  readonly settings: KeptSettings;
}

/** The settings of a proxier, as values. Times are milliseconds. */
export interface ProxierSettings {
  readonly nodeName: string;
  /** The networks in which node ports are served; empty for every address of the node. */
  readonly nodePortNetworks: readonly NodePortNetwork[];
  /** The families that are served. */
  readonly families: readonly Family[];
  /** The node's primary address (`--bind-address`). If it is unspecified, the first address of the Node counts. */
  readonly bindAddress: IpAddress;
  /** How long the first sync waits for addresses of a Node that has none; 0 for no wait. */
  readonly nodeIPPatience: number;
  readonly scheduler: string;
  /** Whether `spec.externalIPs` are served (`AllowServiceExternalIPs`). */
  readonly externalIPs: boolean;
  /** Networks whose virtual servers are left alone unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly ruleSettings: RuleSettings;
  readonly vipBinding: VipBinding;
  /** How drains end. A timeout of 0 is no limit. */
  readonly drains: {
    readonly mode: DrainMode;
    readonly timeout: number;
    readonly unansweredAfter?: number;
  };
  /** Whether waiting clients of deleted real servers are reset; otherwise they notice at their next packet. */
  readonly resetsWaitingClients: boolean;
  /** The time between two audits. */
  readonly syncPeriod: number;
  /** The time after a sync in which changes are gathered; 0 for none. */
  readonly minSyncPeriod: number;
}

/** The interfaces to the rest of the program. */
export interface Ports {
  readonly clock: Clock;
  readonly log: Logger;
  readonly reporter: Reporter;
  /** Reads the options in a Service's annotations. Without it, they are ignored. */
  readonly serviceOptionsOf?: ((service: Service) => ServiceOptions) | undefined;
  /** Called with the operations that were tried, in their order. */
  readonly onApplied?: ((operations: readonly SingleOperation[]) => void) | undefined;
  /** Where the first sync shows how far it has come. */
  readonly progress?: ProgressBoard | undefined;
  /** Requests a second read of a kind, see `Source.confirm`. Without it, the first read is final. */
  readonly confirm?: ((kind: Kind) => void) | undefined;
}

/** All options of a proxier. */
export interface ProxierOptions extends Kernel, ProxierSettings, Ports {}

/** The interfaces of a kernel, without further properties that the object may have. */
export function kernelOf(kernel: Kernel): Kernel {
  const { ipvs, ipsets, links, routes, firewall, ruleTables, nftTables } = kernel;
  const { conntrack, connections, neighbours, resetter, settings } = kernel;
  const filter = { firewall, ruleTables, nftTables };
  const others = { conntrack, connections, neighbours, resetter, settings };
  return { ipvs, ipsets, links, routes, ...filter, ...others };
}
