import type { IpvsConnections } from '../connections/connections.ts';
import type { Conntrack } from '../conntrack/conntrack.ts';
import type { Firewall, RuleTables } from '../firewall/firewall.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import type { Neighbours, RouteTables } from '../neighbours/neighbours.ts';
import type { NftTables } from '../nftables/nftables.ts';
import type { Routes } from '../routes/routes.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

/**
 * A node for reading: what a dump is made from, and what it is opened as. An interface that is `undefined` is not loaded in the kernel:
 * there is nothing then.
 */
export interface DumpSources {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers' | 'info' | 'timeouts'> | undefined;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'> | undefined;
  readonly links: Pick<Links, 'addresses' | 'names' | 'hasLink' | 'isDummy'>;
  readonly routes: Pick<Routes, 'routes'>;
  readonly rules: Pick<RuleTables, 'read'>;
  readonly firewall: Pick<Firewall, 'capabilities'>;
  readonly nftTables: Pick<NftTables, 'tables' | 'otherTables'> | undefined;
  readonly conntrack: Pick<Conntrack, 'dump' | 'isFiltering'> | undefined;
  readonly connections: IpvsConnections | undefined;
  readonly neighbours: Neighbours & RouteTables;
  readonly sysctl: Pick<Sysctl, 'read' | 'kernelRelease'>;
  /** The files of /sys. */
  readonly sysfs: Pick<Sysctl, 'read'>;
  /** The files of /proc/self. */
  readonly process: Pick<Sysctl, 'read'>;
  /** Whether a kernel module is loaded, or built in. */
  readonly isLoaded: (module: string) => boolean;
}
