import { type Family, families } from '../../../pkg/ip/address.ts';
import { printPrefix } from '../../../pkg/ip/prefix.ts';
import { type Protocol, protocolLabel, protocols } from '../../../pkg/ip/protocol.ts';
import type { Namespace } from '../namespace.ts';
import { nodeAddresses } from '../network/network.ts';
import { feed } from '../restore-state.ts';
import { addressOf } from '../traffic.ts';
import { chainId, clusterNetworks, type ModeService, podTarget } from './mode-service.ts';

// The table of upstream's nftables mode for some Services, as it writes it at its start.

/** Makes the table in a namespace, in both families; one that is there is replaced. */
export function writeNftablesMode(namespace: Namespace, services: readonly ModeService[]): void {
  feed(
    namespace,
    ['nft', '-f', '-'],
    families.map((family) => tableText(family, services)).join('\n'),
  );
}

/** The words of nft for a family. */
const words = {
  IPv4: { table: 'ip', type: 'ipv4_addr' },
  IPv6: { table: 'ip6', type: 'ipv6_addr' },
} as const;

/** One port of a Service in a family. */
interface Port {
  readonly service: ModeService;
  readonly family: Family;
  readonly protocol: Protocol;
}

function tableText(family: Family, services: readonly ModeService[]): string {
  const { table, type } = words[family];
  const ports = services.flatMap((service) =>
    protocols.map((protocol) => ({ service, family, protocol })),
  );
  const front = `${type} . inet_proto . inet_service : verdict`;
  return `table ${table} kube-proxy
delete table ${table} kube-proxy
table ${table} kube-proxy {
  comment "rules for kube-proxy"
  set cluster-ips { type ${type}; ${elements(services.map(({ shop }) => shop.vip.addresses[family]))} }
  set nodeport-ips { type ${type}; ${elements([nodeAddresses[family]])} }
  map service-ips { type ${front}; ${elements(ports.flatMap(serviceElements))} }
  map service-nodeports { type inet_proto . inet_service : verdict; ${elements(ports.map(nodePortElement))} }
  map no-endpoint-services { type ${front}; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
  map firewall-ips { type ${front}; ${elements(ports.flatMap(firewallElements))} }
${baseChains(family)}
${ports.map(portChains).join('\n')}
}`;
}

/** The elements of a set or map in its declaration, or nothing of none. */
export function elements(all: readonly string[]): string {
  return all.length === 0 ? '' : `elements = { ${all.join(', ')} };`;
}

function nameOf({ service, family, protocol }: Port): string {
  const name = service.shop.name;
  const label = protocolLabel(protocol);
  return `${chainId(name, label, family).slice(0, 8)}-shop/${name}/${label}/${label}`;
}

function serviceElements(port: Port): readonly string[] {
  const { service, family, protocol } = port;
  const balancer = service.loadBalancer?.[family];
  const at = `${protocolLabel(protocol)} . 80`;
  return [
    `${service.shop.vip.addresses[family]} . ${at} : goto service-${nameOf(port)}`,
    ...(balancer === undefined ? [] : [`${balancer} . ${at} : goto external-${nameOf(port)}`]),
  ];
}

function nodePortElement(port: Port): string {
  const { shop } = port.service;
  return `${protocolLabel(port.protocol)} . ${shop.nodePort.port} : goto external-${nameOf(port)}`;
}

function firewallElements(port: Port): readonly string[] {
  const { loadBalancer, sourceRanges } = port.service;
  if (loadBalancer === undefined || sourceRanges === undefined) return [];
  const at = `${loadBalancer[port.family]} . ${protocolLabel(port.protocol)} . 80`;
  return [`${at} : goto firewall-${nameOf(port)}`];
}

/** The chains that are there whatever the Services are. */
export function baseChains(family: Family): string {
  const { table } = words[family];
  const base = (name: string, hook: string, rules: string) =>
    `  chain ${name} { type ${hook}; ${rules} }`;
  return [
    '  chain firewall-check { }',
    '  chain service-endpoints-check { }',
    '  chain nodeport-endpoints-check { }',
    '  chain cluster-ips-check { }',
    '  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }',
    '  chain masquerading { meta mark and 0x4000 == 0 return; meta mark set meta mark xor 0x4000; masquerade fully-random; }',
    '  chain services { }',
    base(
      'filter-prerouting-pre-dnat',
      'filter hook prerouting priority -110',
      'ct state new jump firewall-check;',
    ),
    base(
      'filter-output-pre-dnat',
      'filter hook output priority -110',
      'ct state new jump firewall-check;',
    ),
    base(
      'filter-input',
      'filter hook input priority 0',
      'ct state new jump nodeport-endpoints-check; ct state new jump service-endpoints-check;',
    ),
    ...(['forward', 'output'] as const).map((hook) =>
      base(
        `filter-${hook}`,
        `filter hook ${hook} priority 0`,
        'ct state new jump service-endpoints-check; ct state new jump cluster-ips-check;',
      ),
    ),
    base('nat-prerouting', 'nat hook prerouting priority -100', 'jump services;'),
    base('nat-output', 'nat hook output priority -100', 'jump services;'),
    base('nat-postrouting', 'nat hook postrouting priority 100', 'jump masquerading;'),
    `  chain services { ${table} daddr . meta l4proto . th dport vmap @service-ips; ${table} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports; }`,
    `  chain firewall-check { ${table} daddr . meta l4proto . th dport vmap @firewall-ips; }`,
    `  chain service-endpoints-check { ${table} daddr . meta l4proto . th dport vmap @no-endpoint-services; }`,
    `  chain nodeport-endpoints-check { ${table} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports; }`,
    `  chain cluster-ips-check { ${table} daddr @cluster-ips reject; }`,
  ].join('\n');
}

/** The chains of one port; `services` leads to them by the maps once they are there. */
function portChains(port: Port): string {
  const { service, family, protocol } = port;
  const { shop, endpoints, sourceRanges, affinitySeconds = 0 } = service;
  const { table, type } = words[family];
  const label = protocolLabel(protocol);
  const name = nameOf(port);
  const all = endpoints.map((host) => ({ host, chain: `endpoint-${name}__${host.name}` }));
  const sticky = affinitySeconds === 0 ? [] : all;
  const setOf = (host: string) => `affinity-${name}__${host}`;
  const choices = all.map(({ chain }, index) => `${index} : goto ${chain}`).join(', ');
  return [
    ...sticky.map(
      ({ host }) =>
        `  set ${setOf(host.name)} { type ${type}; flags dynamic,timeout; timeout ${affinitySeconds}s; }`,
    ),
    ...all.map(({ host, chain }) => {
      const isNoted =
        affinitySeconds === 0 ? '' : `update @${setOf(host.name)} { ${table} saddr } `;
      const own = addressOf(host, family);
      return `  chain ${chain} { ${table} saddr ${own} jump mark-for-masquerade; meta l4proto ${label} ${isNoted}dnat to ${podTarget(host, family)}; }`;
    }),
    `  chain service-${name} { ${table} daddr ${shop.vip.addresses[family]} ${label} dport 80 ${table} saddr != ${clusterNetworks[family]} jump mark-for-masquerade; ${sticky.map(({ host, chain }) => `${table} saddr @${setOf(host.name)} goto ${chain}; `).join('')}numgen random mod ${all.length} vmap { ${choices} }; }`,
    `  chain external-${name} { jump mark-for-masquerade; goto service-${name}; }`,
    ...(sourceRanges === undefined
      ? []
      : [
          `  chain firewall-${name} { ${table} saddr != { ${printPrefix(sourceRanges[family])} } drop; }`,
        ]),
  ].join('\n');
}
