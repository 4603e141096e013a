import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { Family } from '../../pkg/ip/address.ts';
import type { ProxierSettings } from '../../pkg/proxy/options.ts';
import { seconds } from '../../pkg/runner/clock.ts';
import { ruleSettings } from './rule-settings.ts';

/** How long the first sync waits for a Node's addresses, in milliseconds; 0 for files, as they do not get them later. */
function nodeIPPatience({ type }: ProxyConfig['source']): number {
  return type === 'api' ? seconds(30) : 0;
}

function vipBinding({ vipBinding: mode, serviceClusterIPRange, detectLocal }: ProxyConfig) {
  const podNetworks = detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs : [];
  return { mode, ranges: serviceClusterIPRange, podNetworks };
}

/** The proxier's settings from the configuration. */
export function proxierSettings(config: ProxyConfig, families: readonly Family[]): ProxierSettings {
  return {
    families,
    nodeName: config.nodeName,
    bindAddress: config.bindAddress,
    nodeIPPatience: nodeIPPatience(config.source),
    nodePortNetworks: config.nodePortAddresses,
    scheduler: config.scheduler,
    externalIPs: config.externalIPs,
    excluded: config.excludeCIDRs,
    ruleSettings: ruleSettings(config),
    vipBinding: vipBinding(config),
    drains: { mode: config.drainMode, timeout: config.drainTimeout },
    resetsWaitingClients: config.resetWaitingClients,
    syncPeriod: config.syncPeriod,
    minSyncPeriod: config.minSyncPeriod,
  };
}
