import type { ConnectionDump, IpvsConnection } from '../connections/connections.ts';
import type { Flow } from '../conntrack/conntrack.ts';
import type { FirewallCapabilities, RulePlace } from '../firewall/firewall.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Entry, SetStatus } from '../ipset/ipset.ts';
import type {
  IpvsInfo,
  IpvsTimeouts,
  RealServerStatus,
  VirtualServerStatus,
} from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';
import type { Route, TableRoute } from '../neighbours/neighbours.ts';
import type { NftTableId } from '../nftables/nftables.ts';
import type { LocalRoute } from '../routes/routes.ts';

/** A virtual server with its real servers. */
export interface DumpedVirtualServer extends VirtualServerStatus {
  readonly realServers: readonly RealServerStatus[];
}

/** IPVS of a node. */
export interface DumpedIpvs {
  readonly info: IpvsInfo;
  readonly timeouts: IpvsTimeouts;
  readonly virtualServers: readonly DumpedVirtualServer[];
}

/** A set with its entries; none if it is of a type that is not supported. */
export interface DumpedSet extends SetStatus {
  readonly entries: readonly Entry[];
}

/** A network device. */
export interface DumpedLink {
  readonly index: number;
  readonly name: string;
  readonly isDummy: boolean;
  readonly isBridge: boolean;
}

/** How the node sends packets to an address. */
export interface DumpedRoute {
  readonly address: IpAddress;
  readonly route: Route;
  readonly canReach: boolean;
}

/** The routes of the tables that every packet is looked up in. */
export interface DumpedRouteTables {
  /** False if there were more than the limit. */
  readonly isWhole: boolean;
  readonly routes: readonly TableRoute[];
}

/** One place of rules, as `iptables-save` printed it, by line. */
export interface DumpedRules extends RulePlace {
  readonly lines: readonly string[];
}

/** What the iptables of a family can do; `undefined` if the family has none. */
export type DumpedIptables = Readonly<Record<Family, FirewallCapabilities | undefined>>;

/** The names of nf_tables' tables. */
export interface DumpedTables {
  readonly tables: readonly NftTableId[];
  readonly others: readonly string[];
}

/** Flows of conntrack. */
export interface DumpedFlows {
  /** False if there were more than the limit. */
  readonly isWhole: boolean;
  readonly isFiltering: boolean;
  readonly flows: readonly Flow[];
}

/** Entries of IPVS's connection table. */
export interface DumpedConnections extends ConnectionDump {
  readonly connections: readonly IpvsConnection[];
}

/** Settings below a folder by their path; `undefined` for what the kernel does not have. */
export type DumpedSettings = ReadonlyMap<string, string | undefined>;

/** Everything that is read of a node's kernel. `undefined`: its module is not loaded, and nothing is there. */
export interface NodeParts {
  /** Whether each of the kernel modules is loaded that the program needs. */
  readonly modules: ReadonlyMap<string, boolean>;
  readonly ipvs: DumpedIpvs | undefined;
  readonly sets: readonly DumpedSet[] | undefined;
  readonly links: readonly DumpedLink[];
  readonly addresses: readonly LinkAddress[];
  readonly localRoutes: readonly LocalRoute[];
  /** The routes to the addresses that the state and the objects name, as the kernel looks them up. */
  readonly routes: readonly DumpedRoute[];
  readonly routeTables: DumpedRouteTables;
  readonly iptables: DumpedIptables;
  readonly rules: readonly DumpedRules[];
  readonly nftables: DumpedTables | undefined;
  readonly conntrack: DumpedFlows | undefined;
  readonly ipvsConnections: DumpedConnections | undefined;
  readonly kernelRelease: string;
  readonly sysctls: DumpedSettings;
  readonly sysfs: DumpedSettings;
  /** The CPUs that the process may use, as a list; `undefined` if unknown. */
  readonly cpus: string | undefined;
}

/** A part that could not be read, and why. */
export interface Unread {
  readonly part: string;
  readonly reason: string;
}

/** The parts of a node that could be read. One that is not among `parts` is among `unread`. */
export interface ReadNode {
  readonly parts: Partial<NodeParts>;
  readonly unread: readonly Unread[];
}
