import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import type { DumpSources } from '../../pkg/dump/sources.ts';
import type { Machine } from '../../pkg/firewall/iptables.ts';
import { thisMachine } from '../../pkg/firewall/machine.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { withoutNfTables } from '../../pkg/firewall/without-nf-tables.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { isModuleLoaded } from '../../pkg/node/loaded-modules.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { openIpvsIfThere, ownProcess } from './open-kernel.ts';

/** A node that is only read. */
export interface OpenReader {
  readonly sources: DumpSources;
  readonly close: () => void;
}

export interface ReaderOptions {
  readonly log?: Logger;
  /** Opens a connection of a NETLINK_* protocol. */
  readonly open?: typeof openConnection;
}

/**
 * Opens the kernel for reading. Asking the kernel for something whose module is not loaded would load it: there is nothing to read
 * then, and it is not asked. The caller closes it. If one part cannot be opened, those before it are closed.
 */
export function openReader({ log, open = openConnection }: ReaderOptions = {}): OpenReader {
  using opening = new DisposableStack();
  const keep = <Opened extends { close(): void }>(opened: Opened): Opened =>
    opening.adopt(opened, () => opened.close());
  const sysctl = new ProcSysctl();
  const release = sysctl.kernelRelease();
  const isLoaded = (module: string) => isModuleLoaded(module, { release });
  const openedIpvs = isLoaded('ip_vs') ? openIpvsIfThere() : undefined;
  const ipvs = openedIpvs && keep(openedIpvs);
  const route = keep(open(NETLINK_ROUTE));
  const strictRoute = keep(open(NETLINK_ROUTE, { strict: true }));
  const usesNetfilter = ['nf_tables', 'ip_set', 'nf_conntrack_netlink'].some(isLoaded);
  const netfilter = usesNetfilter ? keep(open(NETLINK_NETFILTER)) : undefined;
  const ofNetfilter = (module: string) => (isLoaded(module) ? netfilter : undefined);
  const ipsets = ofNetfilter('ip_set');
  const nftTables = ofNetfilter('nf_tables');
  const conntrack = ofNetfilter('nf_conntrack_netlink');
  const machine: Machine = nftTables === undefined ? withoutNfTables(thisMachine) : thisMachine;
  const opened = opening.move();
  return {
    sources: {
      ipvs,
      ipsets: ipsets && new NetlinkIpSets(ipsets),
      links: new NetlinkLinks(route),
      routes: new NetlinkRoutes(strictRoute),
      rules: new ProgramTables({ machine }),
      firewall: new RestoreFirewall({ machine, ...(log && { log }) }),
      nftTables: nftTables && new NetlinkNftTables(nftTables),
      conntrack: conntrack && new NetlinkConntrack(conntrack),
      connections: ipvs && new ProcIpvsConnections(),
      neighbours: new NetlinkNeighbours(route),
      sysctl,
      sysfs: new ProcSysctl({ root: '/sys' }),
      process: ownProcess(),
      isLoaded,
    },
    close: () => opened.dispose(),
  };
}
