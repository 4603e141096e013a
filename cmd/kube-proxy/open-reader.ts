import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { openIpvs } from '../../pkg/ipvs/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { hasModule } from './loaded-modules.ts';

/** The kernel, opened for reading. */
export interface OpenReader {
  readonly sources: NodeSources;
  readonly close: () => void;
}

/**
 * Opens the kernel for reading. Asking the kernel for something whose module is not loaded would load it: there is nothing to read
 * then, and it is not asked.
 */
export function openReader(): OpenReader {
  const sysctl = new ProcSysctl();
  const files = {
    loaded: '/sys/module',
    list: '/proc/modules',
    builtIn: `/lib/modules/${sysctl.kernelRelease()}/modules.builtin`,
  };
  const has = (name: string) => hasModule(name, files);
  const ipvs = sysctl.read('net/ipv4/vs/conntrack') === undefined ? undefined : openIpvs();
  const route = openConnection(NETLINK_ROUTE);
  const usesNetfilter = ['nf_tables', 'ip_set', 'nf_conntrack_netlink'].some(has);
  const netfilter = usesNetfilter ? openConnection(NETLINK_NETFILTER) : undefined;
  const ofNetfilter = (module: string) => (has(module) ? netfilter : undefined);
  const ipsets = ofNetfilter('ip_set');
  const nftTables = ofNetfilter('nf_tables');
  const conntrack = ofNetfilter('nf_conntrack_netlink');
  return {
    sources: {
      ipvs,
      ipsets: ipsets && new NetlinkIpSets(ipsets),
      links: new NetlinkLinks(route),
      rules: new ProgramTables({
        flavours: nftTables === undefined ? ['legacy'] : ['nft', 'legacy'],
      }),
      nftTables: nftTables && new NetlinkNftTables(nftTables),
      conntrack: conntrack && new NetlinkConntrack(conntrack),
      connections: ipvs && new ProcIpvsConnections(),
      neighbours: new NetlinkNeighbours(route),
      sysctl,
      sysfs: new ProcSysctl({ root: '/sys' }),
    },
    close() {
      for (const opened of [ipvs, route, netfilter]) opened?.close();
    },
  };
}
