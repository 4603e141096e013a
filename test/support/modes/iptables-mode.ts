import type { Flavour } from '../../../pkg/firewall/iptables.ts';
import { type Family, families } from '../../../pkg/ip/address.ts';
import { printPrefix } from '../../../pkg/ip/prefix.ts';
import { type Protocol, protocolLabel, protocols } from '../../../pkg/ip/protocol.ts';
import type { Namespace } from '../namespace.ts';
import { printHostRoute } from '../network/network.ts';
import { feed } from '../restore-state.ts';
import { addressOf } from '../traffic.ts';
import {
  balancingRules,
  type ChainedRules,
  chainCommands,
  clusterIpRule,
  comment,
  filterTable,
  natTable,
  outsideRule,
} from './iptables-rules.ts';
import { chainId, clusterNetworks, type ModeService, podTarget } from './mode-service.ts';

// The rules of upstream's iptables mode for some Services, as it writes them at its start: all of its chains and jumps.

/** Writes the rules into a namespace, in both families. What others have there stays, as its kube-proxy leaves it. */
export function writeIptablesMode(
  namespace: Namespace,
  services: readonly ModeService[],
  { flavour = 'nft' }: { flavour?: Flavour } = {},
): void {
  for (const family of families) {
    const program = `${family === 'IPv4' ? 'iptables' : 'ip6tables'}-${flavour}`;
    namespace.run('sh', '-ec', chainCommands(program).join('\n'));
    const input = [...natLines(family, services), ...filterLines(family, services)].join('\n');
    feed(namespace, [`${program}-restore`, '--noflush'], input);
  }
}

function natLines(family: Family, services: readonly ModeService[]): readonly string[] {
  const written = services.flatMap((service) =>
    protocols.map((protocol) => portRules(service, { family, protocol })),
  );
  return natTable({
    chains: written.flatMap(({ chains }) => chains),
    rules: written.flatMap(({ rules }) => rules),
  });
}

function filterLines(family: Family, services: readonly ModeService[]): readonly string[] {
  return filterTable(
    services.flatMap(({ shop, loadBalancer, sourceRanges }) =>
      loadBalancer === undefined || sourceRanges === undefined
        ? []
        : protocols.map(
            (protocol) =>
              `-A KUBE-PROXY-FIREWALL ${comment(`traffic to ${portName(shop.name, protocol)} not accepted by KUBE-FW`)} ${to(loadBalancer[family], { protocol, port: 80 })} -j DROP`,
          ),
    ),
  );
}

/** Chains and rules of one port of a Service. */
function portRules(
  service: ModeService,
  { family, protocol }: { family: Family; protocol: Protocol },
): ChainedRules {
  const { shop, loadBalancer, sourceRanges } = service;
  const name = portName(shop.name, protocol);
  const id = chainId(name, family);
  const balancing = `KUBE-SVC-${id}`;
  const external = `KUBE-EXT-${id}`;
  const firewall = `KUBE-FW-${id}`;
  const endpoints = endpointRules(service, { family, protocol, balancing });
  const atVip = to(shop.vip.addresses[family], { protocol, port: 80 });
  const nodePort = `-p ${protocolLabel(protocol)} --dport ${shop.nodePort.port}`;
  const isClosed = loadBalancer !== undefined && sourceRanges !== undefined;
  const balancer = isClosed ? firewall : external;
  return {
    chains: [balancing, external, ...(isClosed ? [firewall] : []), ...endpoints.chains],
    rules: [
      clusterIpRule(name, { at: atVip, chain: balancing }),
      ...(loadBalancer === undefined
        ? []
        : [
            `-A KUBE-SERVICES ${comment(`${name} loadbalancer IP`)} ${to(loadBalancer[family], { protocol, port: 80 })} -j ${balancer}`,
          ]),
      ...(isClosed
        ? [
            `-A ${firewall} ${comment(`${name} loadbalancer IP`)} -s ${printPrefix(sourceRanges[family])} -j ${external}`,
          ]
        : []),
      `-A KUBE-NODEPORTS ${comment(name)} ${nodePort} -j ${external}`,
      `-A ${external} ${comment(`masquerade traffic for ${name} external destinations`)} -j KUBE-MARK-MASQ`,
      `-A ${external} -j ${balancing}`,
      outsideRule(name, { at: atVip, chain: balancing, pods: clusterNetworks[family] }),
      ...endpoints.rules,
    ],
  };
}

function endpointRules(
  { shop, endpoints, affinitySeconds = 0 }: ModeService,
  { family, protocol, balancing }: { family: Family; protocol: Protocol; balancing: string },
): ChainedRules {
  const name = portName(shop.name, protocol);
  return balancingRules({
    name,
    protocol: protocolLabel(protocol),
    balancing,
    affinitySeconds,
    endpoints: endpoints.map((host) => ({
      chain: `KUBE-SEP-${chainId(name, family, host.name)}`,
      route: printHostRoute(addressOf(host, family)),
      target: podTarget(host, family),
    })),
  });
}

function to(
  address: Parameters<typeof printHostRoute>[0],
  { protocol, port }: { protocol: Protocol; port: number },
): string {
  return `-p ${protocolLabel(protocol)} -d ${printHostRoute(address)} --dport ${port}`;
}

function portName(service: string, protocol: Protocol): string {
  return `shop/${service}:${protocolLabel(protocol)}`;
}
