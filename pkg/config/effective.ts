import { parseAddress, unspecified } from '../ip/address.ts';
import { type Prefix, parsePrefix } from '../ip/prefix.ts';
import { parseListenAddress } from './listen-address.ts';
import {
  type Configuration,
  type DetectLocal,
  drainModes,
  type ListenAddress,
  type ObjectSource,
  type ProxyConfig,
} from './types.ts';
import { defaultPorts, splitCIDRs } from './validate.ts';

/**
 * What a configuration that {@link validate} found right means on a machine of that host name. Throws if
 * the node has no name.
 */
export function effective(configuration: Configuration, hostname: string): ProxyConfig {
  const { iptables, ipvs, logging } = configuration;
  return {
    nodeName: nodeName(configuration.hostnameOverride, hostname),
    source: objectSource(configuration),
    bindAddress: parseAddress(configuration.bindAddress) ?? unspecified('IPv4'),
    healthz: listenAddress(configuration.healthzBindAddress, defaultPorts.healthz),
    metrics: listenAddress(configuration.metricsBindAddress, defaultPorts.metrics),
    scheduler: ipvs.scheduler === '' ? 'rr' : ipvs.scheduler,
    excludeCIDRs: networks(ipvs.excludeCIDRs),
    syncPeriod: ipvs.syncPeriod,
    minSyncPeriod: ipvs.minSyncPeriod,
    drainMode: drainModes.find((mode) => mode === ipvs.gracefulTermination) ?? 'pod',
    drainTimeout: ipvs.drainTimeout,
    resetWaitingClients: ipvs.resetWaitingClients,
    restoreSysctls: ipvs.restoreSysctls,
    serviceAnnotations: ipvs.serviceAnnotations,
    masqueradeAll: iptables.masqueradeAll,
    masqueradeBit: iptables.masqueradeBit,
    detectLocal: detectLocal(configuration),
    verbosity: logging.verbosity,
    warnings: warnings(configuration),
  };
}

function nodeName(override: string, hostname: string): string {
  const name = (override === '' ? hostname : override).trim().toLowerCase();
  if (name === '')
    throw new Error('this machine has no host name; say one with --hostname-override');
  return name;
}

function objectSource({ clientConnection, ipvs, master }: Configuration): ObjectSource {
  if (ipvs.manifests !== '') return { type: 'manifests', path: ipvs.manifests };
  return { type: 'api', kubeconfig: clientConnection.kubeconfig, master };
}

function listenAddress(text: string, defaultPort: number): ListenAddress | undefined {
  const result = text === '' ? undefined : parseListenAddress(text, defaultPort);
  return result && 'address' in result ? result.address : undefined;
}

function networks(texts: readonly string[]): readonly Prefix[] {
  return texts.map(parsePrefix).filter((network) => network !== undefined);
}

function detectLocal(configuration: Configuration): DetectLocal {
  const { bridgeInterface, interfaceNamePrefix } = configuration.detectLocal;
  switch (configuration.detectLocalMode) {
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    case 'BridgeInterface':
      return { mode: 'BridgeInterface', interfaceName: bridgeInterface };
    case 'InterfaceNamePrefix':
      return { mode: 'InterfaceNamePrefix', prefix: interfaceNamePrefix };
    default:
      return { mode: 'ClusterCIDR', cidrs: networks(splitCIDRs(configuration.clusterCIDR)) };
  }
}

function warnings({ mode, ipvs, clientConnection, master }: Configuration): readonly string[] {
  const isApiNamed = clientConnection.kubeconfig !== '' || master !== '';
  return [
    ...(mode === '' ? ['no proxy mode given; using ipvs, the only one there is'] : []),
    ...(ipvs.manifests !== '' && isApiNamed
      ? ['objects come from the manifests; kubeconfig and master are not used']
      : []),
  ];
}
