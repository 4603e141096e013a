import { parseAddress, unspecified } from '../ip/address.ts';
import { type Prefix, parsePrefix } from '../ip/prefix.ts';
import { drainModes, estimationModes, vipBindings } from './fields/ipvs.ts';
import { nodeNetworks } from './fields/proxy.ts';
import { defaultPorts } from './fields/servers.ts';
import type { Settings } from './fields.ts';
import { servesExternalIPs } from './gates.ts';
import { type ListenAddress, parseListenAddress } from './listen-address.ts';
import type { ConntrackConfig, DetectLocal, ObjectSource, ProxyConfig } from './types.ts';
import { splitCIDRs } from './validate.ts';

/** Turns valid settings into the program's configuration. Throws if the node has no name. */
export function effective(settings: Settings, hostname: string): ProxyConfig {
  const drainMode = settings['ipvs.gracefulTermination'];
  return {
    settings,
    nodeName: nodeName(settings.hostnameOverride, hostname),
    source: objectSource(settings),
    bindAddress: parseAddress(settings.bindAddress) ?? unspecified('IPv4'),
    nodePortAddresses: settings.nodePortAddresses.flatMap(nodePortNetworks),
    healthz: listenAddress(settings.healthzBindAddress, defaultPorts.healthz),
    metrics: listenAddress(settings.metricsBindAddress, defaultPorts.metrics),
    bindAddressHardFail: settings.bindAddressHardFail,
    scheduler: settings['ipvs.scheduler'] || 'rr',
    vipBinding: vipBindings.find((mode) => mode === settings['ipvs.vipBinding']) ?? 'address',
    serviceClusterIPRange: networks(settings['ipvs.serviceClusterIPRange']),
    excludeCIDRs: networks(settings['ipvs.excludeCIDRs']),
    externalIPs: servesExternalIPs(settings.featureGates),
    strictARP: settings['ipvs.strictARP'],
    syncPeriod: settings['ipvs.syncPeriod'],
    minSyncPeriod: settings['ipvs.minSyncPeriod'],
    ipvsTimeouts: {
      tcp: wholeSeconds(settings['ipvs.tcpTimeout']),
      tcpFin: wholeSeconds(settings['ipvs.tcpFinTimeout']),
      udp: wholeSeconds(settings['ipvs.udpTimeout']),
    },
    drainMode: drainModes.find((mode) => mode === drainMode) ?? 'pod',
    drainTimeout: settings['ipvs.drainTimeout'],
    resetWaitingClients: settings['ipvs.resetWaitingClients'],
    restoreSysctls: settings['ipvs.restoreSysctls'],
    estimation: estimationModes.find((mode) => mode === settings['ipvs.estimation']) ?? 'auto',
    serviceAnnotations: settings['ipvs.serviceAnnotations'],
    serviceMetrics: settings['ipvs.serviceMetrics'],
    statusPage: settings['ipvs.statusPage'],
    masqueradeAll: settings['iptables.masqueradeAll'],
    masqueradeBit: settings['iptables.masqueradeBit'],
    detectLocal: detectLocal(settings),
    conntrack: conntrack(settings),
    oomScoreAdj: settings.oomScoreAdj,
  };
}

function nodeName(override: string, hostname: string): string {
  const name = (override === '' ? hostname : override).trim().toLowerCase();
  if (name === '')
    throw new Error('this machine has no host name; say one with --hostname-override');
  return name;
}

function objectSource(settings: Settings): ObjectSource {
  const path = settings['ipvs.manifests'];
  if (path !== '') return { type: 'manifests', path };
  return {
    type: 'api',
    kubeconfig: settings['clientConnection.kubeconfig'],
    master: settings['--master'],
    contentTypes:
      settings['clientConnection.acceptContentTypes'] || settings['clientConnection.contentType'],
  };
}

function listenAddress(text: string, defaultPort: number): ListenAddress | undefined {
  const result = text === '' ? undefined : parseListenAddress(text, defaultPort);
  return result && 'address' in result ? result.address : undefined;
}

function networks(texts: readonly string[]): readonly Prefix[] {
  return texts.map(parsePrefix).filter((network) => network !== undefined);
}

/** The networks for a network or a word that stands for some. */
function nodePortNetworks(text: string): ProxyConfig['nodePortAddresses'] {
  const meaning = Object.hasOwn(nodeNetworks, text) ? nodeNetworks[text] : [text];
  return meaning === 'primary' ? [meaning] : networks(meaning ?? []);
}

function wholeSeconds(milliseconds: number): number {
  return Math.trunc(milliseconds / 1000);
}

function conntrack(settings: Settings): ConntrackConfig {
  return {
    maxPerCore: settings['conntrack.maxPerCore'],
    min: settings['conntrack.min'],
    tcpEstablishedTimeout: settings['conntrack.tcpEstablishedTimeout'],
    tcpCloseWaitTimeout: settings['conntrack.tcpCloseWaitTimeout'],
    tcpBeLiberal: settings['conntrack.tcpBeLiberal'],
    udpTimeout: settings['conntrack.udpTimeout'],
    udpStreamTimeout: settings['conntrack.udpStreamTimeout'],
  };
}

function detectLocal(settings: Settings): DetectLocal {
  switch (settings.detectLocalMode) {
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    case 'BridgeInterface':
      return {
        mode: 'BridgeInterface',
        interfaceName: settings['detectLocal.bridgeInterface'],
      };
    case 'InterfaceNamePrefix':
      return {
        mode: 'InterfaceNamePrefix',
        prefix: settings['detectLocal.interfaceNamePrefix'],
      };
    default:
      return { mode: 'ClusterCIDR', cidrs: networks(splitCIDRs(settings.clusterCIDR)) };
  }
}
