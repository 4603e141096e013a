import type { IpvsConnections } from '../connections/connections.ts';
import type { Conntrack } from '../conntrack/conntrack.ts';
import type { RuleTables } from '../firewall/firewall.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import type { Neighbours } from '../neighbours/neighbours.ts';
import type { NftTables } from '../nftables/nftables.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

/** The interfaces that a node is read through. One that is `undefined` is not loaded in the kernel: there is nothing then. */
export interface NodeSources {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'> | undefined;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'> | undefined;
  readonly links: Pick<Links, 'addresses' | 'names'>;
  readonly rules: Pick<RuleTables, 'read'>;
  readonly nftTables: Pick<NftTables, 'tables' | 'otherTables'> | undefined;
  readonly conntrack: Pick<Conntrack, 'dump'> | undefined;
  readonly connections: IpvsConnections | undefined;
  readonly neighbours: Pick<Neighbours, 'route'>;
  readonly sysctl: Pick<Sysctl, 'read'>;
  /** The files of /sys. */
  readonly sysfs: Pick<Sysctl, 'read'>;
}
