import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { DumpSources } from '../../pkg/dump/sources.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { applyConntrackLimits } from '../../pkg/node/conntrack-settings.ts';
import { applyIpvsTimeouts } from '../../pkg/node/ipvs-timeouts.ts';
import type { NodeReader } from '../../pkg/preview/node.ts';
import { PreviewSettings, type SettingChange } from '../../pkg/preview/settings.ts';
import { KernelSettings } from '../../pkg/proxy/settings/kernel-settings.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
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

/** A node that was opened for reading, with what a start with a configuration would change of its settings. */
function nodeOf({ sources, close }: OpenReader, config: ProxyConfig): OpenNode {
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
