import type { ProxyConfig } from '../../pkg/config/types.ts';
import { DumpError } from '../../pkg/dump/dump-error.ts';
import type { NodeParts } from '../../pkg/dump/node-parts.ts';
import { requireParts } from '../../pkg/dump/opened-sources.ts';
import type { DumpSources } from '../../pkg/dump/sources.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { applyConntrackLimits } from '../../pkg/node/conntrack-settings.ts';
import { applyIpvsTimeouts } from '../../pkg/node/ipvs-timeouts.ts';
import type { NodeReader } from '../../pkg/preview/node.ts';
import { PreviewSettings, type SettingChange } from '../../pkg/preview/settings.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import type { DumpedNode } from './from-dump.ts';
import { estimationOf } from './open-kernel.ts';
import { type OpenReader, openReader } from './open-reader.ts';

/** A node that is only read. */
export interface OpenNode {
  readonly node: NodeReader;
  /** The kernel settings that a start would change. */
  readonly settings: readonly SettingChange[];
  /** The kernel modules that a start needs and that are not loaded. */
  readonly modules: readonly string[];
  readonly close: () => void;
}

/** Opens the interfaces to the kernel for reading. Loads no module, and writes nothing. */
export function openNode({ config, log }: { config: ProxyConfig; log: Logger }): OpenNode {
  return nodeOf(openReader({ log }), config);
}

/** The parts of a dump that a preview needs. */
const neededParts: readonly (keyof NodeParts)[] = [
  ...(['ipvs', 'sets', 'links', 'addresses', 'localRoutes', 'iptables', 'rules'] as const),
  ...(['nftables', 'conntrack', 'ipvsConnections', 'routes', 'routeTables', 'modules'] as const),
  ...(['kernelRelease', 'sysctls', 'sysfs'] as const),
];

/** Opens the node of a dump. Throws a DumpError if the dump lacks something that a preview needs. */
export function openDumpedNode(
  { dump, reader: { sources, close } }: DumpedNode,
  { config, log }: { config: ProxyConfig; log: Logger },
): OpenNode {
  requireParts(dump, neededParts);
  const { conntrack } = sources;
  if (conntrack === undefined || dump.node.conntrack?.isWhole === true)
    return nodeOf({ sources, close }, config);
  log.warn(
    'the dump has only the first flows of conntrack: stale ones among the others are not shown',
  );
  return nodeOf({ sources: { ...sources, conntrack: firstFlows(conntrack) }, close }, config);
}

/** Flows of which the others are not known, which is no error. */
function firstFlows(
  conntrack: NonNullable<DumpSources['conntrack']>,
): NonNullable<DumpSources['conntrack']> {
  return {
    isFiltering: conntrack.isFiltering,
    dump: async (filter, onFlow) => {
      try {
        await conntrack.dump(filter, onFlow);
      } catch (error) {
        if (!(error instanceof DumpError)) throw error;
      }
    },
  };
}

/** A node that was opened for reading, with what a start with a configuration would change of its settings. */
export function nodeOf({ sources, close }: OpenReader, config: ProxyConfig): OpenNode {
  return {
    node: { ...sources, ruleTables: sources.rules },
    settings: settingsOf(config, sources),
    modules: ['ip_vs', `ip_vs_${config.scheduler}`, 'ip_set', 'nf_conntrack'].filter(
      (name) => !sources.isLoaded(name),
    ),
    close,
  };
}

/** The settings that a start would change. */
function settingsOf(
  config: ProxyConfig,
  { ipvs, sysctl: held, sysfs: files, process }: DumpSources,
): readonly SettingChange[] {
  const preview = new PreviewSettings();
  const sysctl = preview.over(held);
  const settings = new KernelSettings({
    sysctl,
    clock: systemClock,
    log: silent,
    strictArp: config.strictARP,
    hasLocalRoutes: config.vipBinding === 'route',
    others: estimationOf(config, { process, sysfs: files }),
    isRestoring: config.restoreSysctls,
    onRestored: () => undefined,
    onChecked: () => undefined,
  });
  settings.apply();
  const sysfs = preview.over(
    { read: (path) => files.read(path), kernelRelease: () => held.kernelRelease() },
    '/sys/',
  );
  applyConntrackLimits(config.conntrack, { sysctl, sysfs, log: silent });
  const timeouts = ipvs === undefined ? undefined : () => ipvs.timeouts();
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
