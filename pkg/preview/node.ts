import type { IpvsConnections } from '../connections/connections.ts';
import type { Conntrack } from '../conntrack/conntrack.ts';
import type { Firewall, RuleTables } from '../firewall/firewall.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import type { Neighbours } from '../neighbours/neighbours.ts';
import type { NftTables } from '../nftables/nftables.ts';
import type { Routes } from '../routes/routes.ts';

/**
 * What a preview reads of a node. A part whose kernel module is not loaded is `undefined`: nothing of it exists, and asking the kernel
 * would load the module.
 */
export interface NodeReader {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'> | undefined;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'> | undefined;
  readonly nftTables: Pick<NftTables, 'tables'> | undefined;
  readonly conntrack: Pick<Conntrack, 'dump' | 'isFiltering'> | undefined;
  readonly links: Pick<Links, 'addresses' | 'hasLink' | 'isDummy'>;
  readonly routes: Pick<Routes, 'routes'>;
  readonly firewall: Pick<Firewall, 'capabilities'>;
  readonly ruleTables: Pick<RuleTables, 'read'>;
  readonly connections: IpvsConnections | undefined;
  readonly neighbours: Neighbours;
}
