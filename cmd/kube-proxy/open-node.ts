import type { ProxyConfig } from '../../pkg/config/types.ts';
import { ProcIpvsConnections } from '../../pkg/connections/proc.ts';
import { NetlinkConntrack } from '../../pkg/conntrack/netlink.ts';
import { thisMachine } from '../../pkg/firewall/machine.ts';
import { withoutNfTables } from '../../pkg/firewall/reading-machine.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import type { NetlinkIpvs } from '../../pkg/ipvs/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { NetlinkNftTables } from '../../pkg/nftables/netlink.ts';
import { applyConntrackLimits } from '../../pkg/node/conntrack-settings.ts';
import { applyIpvsTimeouts } from '../../pkg/node/ipvs-timeouts.ts';
import { isModuleLoaded } from '../../pkg/node/loaded-modules.ts';
import type { NodeReader } from '../../pkg/preview/node.ts';
import { PreviewSettings, type SettingChange } from '../../pkg/preview/settings.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { estimationOf, openIpvsIfThere } from './open-kernel.ts';

/** A node that is only read. */
export interface OpenNode {
  readonly node: NodeReader;
  /** The kernel settings that a start would change. */
  readonly settings: readonly SettingChange[];
  /** The kernel modules that a start needs and that are not loaded. */
  readonly modules: readonly string[];
  close(): void;
}

/** Opens the interfaces to the kernel for reading. Loads no module, and writes nothing. */
export function openNode({ config, log }: { config: ProxyConfig; log: Logger }): OpenNode {
  const release = new ProcSysctl().kernelRelease();
  const isLoaded = (name: string) => isModuleLoaded(name, { release });
  const ipvs = isLoaded('ip_vs') ? openIpvsIfThere() : undefined;
  const netfilter = isLoaded('nfnetlink') ? openConnection(NETLINK_NETFILTER) : undefined;
  const ofNetfilter = (module: string) => (isLoaded(module) ? netfilter : undefined);
  const route = openConnection(NETLINK_ROUTE);
  const strictRoute = openConnection(NETLINK_ROUTE, { strict: true });
  const machine = isLoaded('nf_tables') ? thisMachine : withoutNfTables(thisMachine);
  const [sets, tables, flows] = [
    ofNetfilter('ip_set'),
    ofNetfilter('nf_tables'),
    ofNetfilter('nf_conntrack_netlink'),
  ];
  const node: NodeReader = {
    ipvs,
    ipsets: sets && new NetlinkIpSets(sets),
    nftTables: tables && new NetlinkNftTables(tables),
    conntrack: flows && new NetlinkConntrack(flows),
    links: new NetlinkLinks(route),
    routes: new NetlinkRoutes(strictRoute),
    firewall: new RestoreFirewall({ machine, log }),
    ruleTables: new ProgramTables({ machine }),
    connections: new ProcIpvsConnections(),
    neighbours: new NetlinkNeighbours(route),
  };
  return {
    node,
    settings: settingsOf(config, ipvs === undefined ? undefined : () => ipvs.timeouts()),
    modules: ['ip_vs', `ip_vs_${config.scheduler}`, 'ip_set', 'nf_conntrack'].filter(
      (name) => !isLoaded(name),
    ),
    close() {
      for (const opened of [ipvs, netfilter, route, strictRoute]) opened?.close();
    },
  };
}

/** The settings that a start would change. */
function settingsOf(
  config: ProxyConfig,
  timeouts: NetlinkIpvs['timeouts'] | undefined,
): readonly SettingChange[] {
  const preview = new PreviewSettings();
  const sysctl = preview.over(new ProcSysctl());
  const settings = new KernelSettings({
    sysctl,
    clock: systemClock,
    log: silent,
    strictArp: config.strictARP,
    hasLocalRoutes: config.vipBinding === 'route',
    others: estimationOf(config),
    isRestoring: config.restoreSysctls,
    onRestored: () => undefined,
    onChecked: () => undefined,
  });
  settings.apply();
  const sysfs = preview.over(new ProcSysctl({ root: '/sys' }), '/sys/');
  applyConntrackLimits(config.conntrack, { sysctl, sysfs, log: silent });
  applyIpvsTimeouts(config.ipvsTimeouts, { ipvs: preview.timeouts(timeouts), log: silent });
  return preview.changes;
}

/** What is set is shown, and not logged. */
const silent: Logger = {
  v: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
};
