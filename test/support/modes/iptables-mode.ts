import { type Family, families } from '../../../pkg/ip/address.ts';
import { printPrefix } from '../../../pkg/ip/prefix.ts';
import { type Protocol, protocolLabel, protocols } from '../../../pkg/ip/protocol.ts';
import type { Namespace } from '../namespace.ts';
import type { Host } from '../network/network.ts';
import { printHostRoute } from '../network/network.ts';
import { feed } from '../restore-state.ts';
import { addressOf } from '../traffic.ts';
import { chainId, clusterNetworks, type ModeService, podTarget } from './mode-service.ts';

// The rules of upstream's iptables mode for some Services, as it writes them at its start: all of its chains and jumps.

/** Writes the rules into a namespace, in both families. What others have there stays, as its kube-proxy leaves it. */
export function writeIptablesMode(namespace: Namespace, services: readonly ModeService[]): void {
  for (const family of families) {
    const program = family === 'IPv4' ? 'iptables' : 'ip6tables';
    const jumps = jumpCommands(program);
    const chains = chainNames.map(
      ([table, chain]) => `${program} -t ${table} -N ${chain} 2>/dev/null || true`,
    );
    namespace.run('sh', '-ec', [...chains, ...jumps].join('\n'));
    const input = [...natLines(family, services), ...filterLines(family, services)].join('\n');
    feed(namespace, [`${program}-restore`, '--noflush'], input);
  }
}

const chainNames = [
  ...['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ'].map(inTable('nat')),
  ...[
    ...['KUBE-SERVICES', 'KUBE-EXTERNAL-SERVICES', 'KUBE-FORWARD'],
    ...['KUBE-NODEPORTS', 'KUBE-PROXY-FIREWALL'],
  ].map(inTable('filter')),
  ...(['mangle', 'nat', 'filter'] as const).map((table) => [table, 'KUBE-PROXY-CANARY'] as const),
];

function inTable(table: string) {
  return (chain: string) => [table, chain] as const;
}

/** Table, built-in chain, whether new connections only, comment, chain; each is inserted first if it is missing. */
const jumps = [
  ['filter', 'INPUT', 'NEW', 'kubernetes externally-visible service portals', 'EXTERNAL-SERVICES'],
  [
    'filter',
    'FORWARD',
    'NEW',
    'kubernetes externally-visible service portals',
    'EXTERNAL-SERVICES',
  ],
  ['filter', 'INPUT', '', 'kubernetes health check service ports', 'NODEPORTS'],
  ['filter', 'FORWARD', 'NEW', 'kubernetes service portals', 'SERVICES'],
  ['filter', 'OUTPUT', 'NEW', 'kubernetes service portals', 'SERVICES'],
  ['filter', 'FORWARD', '', 'kubernetes forwarding rules', 'FORWARD'],
  ['filter', 'INPUT', 'NEW', 'kubernetes load balancer firewall', 'PROXY-FIREWALL'],
  ['filter', 'OUTPUT', 'NEW', 'kubernetes load balancer firewall', 'PROXY-FIREWALL'],
  ['filter', 'FORWARD', 'NEW', 'kubernetes load balancer firewall', 'PROXY-FIREWALL'],
  ['nat', 'OUTPUT', '', 'kubernetes service portals', 'SERVICES'],
  ['nat', 'PREROUTING', '', 'kubernetes service portals', 'SERVICES'],
  ['nat', 'POSTROUTING', '', 'kubernetes postrouting rules', 'POSTROUTING'],
] as const;

function jumpCommands(program: string): readonly string[] {
  return jumps.map(([table, from, state, comment, to]) => {
    const isNew = state === '' ? '' : `-m conntrack --ctstate ${state} `;
    const rule = `${from} ${isNew}-m comment --comment '${comment}' -j KUBE-${to}`;
    const run = `${program} -t ${table}`;
    return `${run} -C ${rule} 2>/dev/null || ${run} -I ${rule}`;
  });
}

function natLines(family: Family, services: readonly ModeService[]): readonly string[] {
  const written = services.flatMap((service) =>
    protocols.map((protocol) => portRules(service, { family, protocol })),
  );
  return [
    '*nat',
    ...['SERVICES', 'NODEPORTS', 'POSTROUTING', 'MARK-MASQ'].map((name) => `:KUBE-${name} - [0:0]`),
    ...written.flatMap(({ chains }) => chains.map((name) => `:${name} - [0:0]`)),
    '-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN',
    '-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000',
    `-A KUBE-POSTROUTING ${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
    '-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000',
    ...written.flatMap(({ rules }) => rules),
    `-A KUBE-SERVICES ${comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`,
    'COMMIT',
  ];
}

function filterLines(family: Family, services: readonly ModeService[]): readonly string[] {
  return [
    '*filter',
    ...['NODEPORTS', 'SERVICES', 'EXTERNAL-SERVICES', 'FORWARD', 'PROXY-FIREWALL'].map(
      (name) => `:KUBE-${name} - [0:0]`,
    ),
    ...services.flatMap(({ shop, loadBalancer, sourceRanges }) =>
      loadBalancer === undefined || sourceRanges === undefined
        ? []
        : protocols.map(
            (protocol) =>
              `-A KUBE-PROXY-FIREWALL ${comment(`traffic to ${portName(shop.name, protocol)} not accepted by KUBE-FW`)} ${to(loadBalancer[family], { protocol, port: 80 })} -j DROP`,
          ),
    ),
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    `-A KUBE-FORWARD ${comment('kubernetes forwarding rules')} -m mark --mark 0x00004000/0x00004000 -j ACCEPT`,
    `-A KUBE-FORWARD ${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    'COMMIT',
  ];
}

interface PortRules {
  readonly chains: readonly string[];
  readonly rules: readonly string[];
}

/** Chains and rules of one port of a Service. */
function portRules(
  service: ModeService,
  { family, protocol }: { family: Family; protocol: Protocol },
): PortRules {
  const { shop, loadBalancer, sourceRanges } = service;
  const name = portName(shop.name, protocol);
  const id = chainId(name, family);
  const balancing = `KUBE-SVC-${id}`;
  const external = `KUBE-EXT-${id}`;
  const firewall = `KUBE-FW-${id}`;
  const backEnds = endpointRules(service, { family, protocol, balancing });
  const atVip = to(shop.vip.addresses[family], { protocol, port: 80 });
  const nodePort = `-p ${protocolLabel(protocol)} --dport ${shop.nodePort.port}`;
  const isClosed = loadBalancer !== undefined && sourceRanges !== undefined;
  const balancer = isClosed ? firewall : external;
  return {
    chains: [balancing, external, ...(isClosed ? [firewall] : []), ...backEnds.chains],
    rules: [
      `-A KUBE-SERVICES ${comment(`${name} cluster IP`)} ${atVip} -j ${balancing}`,
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
      `-A ${balancing} ${comment(`${name} cluster IP`)} ${atVip} ! -s ${clusterNetworks[family]} -j KUBE-MARK-MASQ`,
      ...backEnds.rules,
    ],
  };
}

/** An endpoint each: with affinity those that a client was sent to last come before the others. */
function endpointRules(
  { shop, endpoints, affinitySeconds = 0 }: ModeService,
  { family, protocol, balancing }: { family: Family; protocol: Protocol; balancing: string },
): PortRules {
  const name = portName(shop.name, protocol);
  const chainOf = (host: Host) => `KUBE-SEP-${chainId(name, family, host.name)}`;
  const all = endpoints.map((host) => ({ host, chain: chainOf(host) }));
  const recent = (chain: string) =>
    affinitySeconds === 0
      ? []
      : [
          `-A ${balancing} ${comment(name)} -m recent --name ${chain} --rcheck --seconds ${affinitySeconds} --reap -j ${chain}`,
        ];
  const chosen = all.map(({ host, chain }, index) => {
    const left = all.length - index;
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${1 / left} `;
    return `-A ${balancing} ${comment(`${name} -> ${podTarget(host, family)}`)} ${chance}-j ${chain}`;
  });
  const sent = all.flatMap(({ host, chain }) => {
    const isNoted = affinitySeconds === 0 ? '' : `-m recent --name ${chain} --set `;
    const address = printHostRoute(addressOf(host, family));
    return [
      `-A ${chain} ${comment(name)} -s ${address} -j KUBE-MARK-MASQ`,
      `-A ${chain} ${comment(name)} ${isNoted}-p ${protocolLabel(protocol)} -j DNAT --to-destination ${podTarget(host, family)}`,
    ];
  });
  return {
    chains: all.map(({ chain }) => chain),
    rules: [...all.flatMap(({ chain }) => recent(chain)), ...chosen, ...sent],
  };
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

function comment(text: string): string {
  return `-m comment --comment "${text}"`;
}
