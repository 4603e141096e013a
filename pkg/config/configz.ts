import { printHostPort } from '../ip/address.ts';
import { printPrefix } from '../ip/prefix.ts';
import { printDuration } from './duration.ts';
import type { DetectLocal, ListenAddress, ProxyConfig } from './types.ts';

/** What `/configz` shows: the configuration in force, under the names that upstream's kube-proxy shows it by. */
export function configz(config: ProxyConfig): Readonly<Record<string, unknown>> {
  const { source, detectLocal } = config;
  const isApi = source.type === 'api';
  const shown = {
    ClientConnection: { Kubeconfig: isApi ? source.kubeconfig : '' },
    Logging: { Verbosity: config.verbosity },
    HostnameOverride: config.nodeName,
    BindAddress: config.bindAddress,
    HealthzBindAddress: printListenAddress(config.healthz),
    MetricsBindAddress: printListenAddress(config.metrics),
    Mode: 'ipvs',
    IPTables: { MasqueradeBit: config.masqueradeBit },
    IPVS: {
      Scheduler: config.scheduler,
      ExcludeCIDRs: config.excludeCIDRs.map(printPrefix),
      Manifests: isApi ? '' : source.path,
      GracefulTermination: config.drainMode,
      DrainTimeout: printDuration(config.drainTimeout),
      ResetWaitingClients: config.resetWaitingClients,
      RestoreSysctls: config.restoreSysctls,
      ServiceAnnotations: config.serviceAnnotations,
    },
    Linux: { MasqueradeAll: config.masqueradeAll },
    SyncPeriod: printDuration(config.syncPeriod),
    MinSyncPeriod: printDuration(config.minSyncPeriod),
    DetectLocalMode: detectLocal.mode,
    DetectLocal: printDetectLocal(detectLocal),
  };
  return { 'kubeproxy.config.k8s.io': shown };
}

function printListenAddress(where: ListenAddress | undefined): string {
  return where === undefined ? '' : printHostPort(where.address, where.port);
}

function printDetectLocal(detectLocal: DetectLocal): Readonly<Record<string, unknown>> {
  return {
    BridgeInterface: detectLocal.mode === 'BridgeInterface' ? detectLocal.interfaceName : '',
    ClusterCIDRs: detectLocal.mode === 'ClusterCIDR' ? detectLocal.cidrs.map(printPrefix) : [],
    InterfaceNamePrefix: detectLocal.mode === 'InterfaceNamePrefix' ? detectLocal.prefix : '',
  };
}
