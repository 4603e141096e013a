import type { Chain, Jump, Match, Rule, Ruleset, Table, Target } from '../../firewall/firewall.ts';
import type { Family, IpAddress } from '../../ip/address.ts';
import { type Prefix, parsePrefix } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { type SetId, setComment, setDirections, setName } from './sets.ts';

/** How a packet of a pod of this cluster (or this node) is told from one of a stranger. */
export type LocalDetector =
  | { readonly kind: 'cidr'; readonly network: Prefix }
  /** A name that ends in `+` stands for every interface that begins so. */
  | { readonly kind: 'interface'; readonly name: string };

/** A load balancer's address and port that the node itself may not use, as its source ranges leave it out. */
export interface RejectedLoadBalancer {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
}

/** What the rules of one family depend on. */
export interface ChainOptions {
  /** The sets that have wanted entries. */
  readonly nonEmpty: ReadonlySet<SetId>;
  /** The packet mark that asks for masquerading: one bit. */
  readonly masqueradeMark: number;
  readonly masqueradeAll: boolean;
  readonly localDetector: LocalDetector | undefined;
  /** Whether the iptables in use knows `--random-fully`. */
  readonly randomFully: boolean;
  readonly rejectedLoadBalancers?: readonly RejectedLoadBalancer[];
}

/** All chains, rules and jumps of one family. */
export function rules(family: Family, options: ChainOptions): Ruleset {
  const context = { family, ...options };
  return {
    chains: [
      ...chainsOf('nat', natChains, natRules(context)),
      ...chainsOf('filter', filterChains, filterRules(context)),
    ],
    jumps,
  };
}

type Context = ChainOptions & { readonly family: Family };

/** A rule and the chain it stands in. */
type Placed = Rule & { readonly chain: string };

const natChains = [
  'KUBE-SERVICES',
  'KUBE-POSTROUTING',
  'KUBE-NODE-PORT',
  'KUBE-LOAD-BALANCER',
  'KUBE-MARK-MASQ',
] as const;

const filterChains = [
  'KUBE-FORWARD',
  'KUBE-NODE-PORT',
  'KUBE-PROXY-FIREWALL',
  'KUBE-SOURCE-RANGES-FIREWALL',
  'KUBE-IPVS-FILTER',
  'KUBE-IPVS-OUT-FILTER',
] as const;

type Verdict = 'RETURN' | 'ACCEPT' | 'DROP' | 'REJECT';

type ChainName = (typeof natChains)[number] | (typeof filterChains)[number];

const portals = 'kubernetes service portals';
const accessFilter = 'kubernetes ipvs access filter';
const proxyFirewall = 'kube-proxy firewall rules';

const jumps: readonly Jump[] = [
  jump('nat', ['OUTPUT', 'KUBE-SERVICES'], portals),
  jump('nat', ['PREROUTING', 'KUBE-SERVICES'], portals),
  jump('nat', ['POSTROUTING', 'KUBE-POSTROUTING'], 'kubernetes postrouting rules'),
  jump('filter', ['FORWARD', 'KUBE-FORWARD'], 'kubernetes forwarding rules'),
  jump('filter', ['INPUT', 'KUBE-NODE-PORT'], 'kubernetes health check rules'),
  jump('filter', ['INPUT', 'KUBE-PROXY-FIREWALL'], proxyFirewall),
  jump('filter', ['FORWARD', 'KUBE-PROXY-FIREWALL'], proxyFirewall),
  jump('filter', ['INPUT', 'KUBE-IPVS-FILTER'], accessFilter),
  jump('filter', ['OUTPUT', 'KUBE-IPVS-OUT-FILTER'], accessFilter),
];

/** The nat table in write order: only the order within a chain means anything to the kernel. */
function natRules(context: Context): readonly Placed[] {
  const { set, whenSet, commented } = vocabulary(context);
  const notFromBridgeOrNode: readonly Match[] = [
    { match: 'physicalInput', not: true },
    { match: 'sourceType', type: 'LOCAL', not: true },
  ];
  const toNode: Match = { match: 'destinationType', type: 'LOCAL' };
  const external = (id: 'externalIp' | 'externalIpLocal') => [
    rule('KUBE-SERVICES', [...commented(id), ...notFromBridgeOrNode], 'ACCEPT'),
    rule('KUBE-SERVICES', [...commented(id), toNode], 'ACCEPT'),
  ];
  return [
    rule('KUBE-SERVICES', [fromLoopback(context)], 'RETURN'),
    ...whenSet('loopBack', (id) => [rule('KUBE-POSTROUTING', commented(id), masquerade(false))]),
    ...whenSet('loadBalancer', (id) => [
      rule('KUBE-SERVICES', commented(id), 'KUBE-LOAD-BALANCER'),
    ]),
    ...whenSet('loadBalancerLocal', (id) => [rule('KUBE-LOAD-BALANCER', commented(id), 'RETURN')]),
    ...nodePortRules(context),
    ...whenSet('clusterIp', () => [clusterIpRule(context)]),
    ...whenSet('externalIp', (id) => [
      rule('KUBE-SERVICES', commented(id), 'KUBE-MARK-MASQ'),
      ...external(id),
    ]),
    ...whenSet('externalIpLocal', external),
    rule('KUBE-SERVICES', [toNode], 'KUBE-NODE-PORT'),
    rule('KUBE-LOAD-BALANCER', [], 'KUBE-MARK-MASQ'),
    ...whenSet('clusterIp', (id) => [rule('KUBE-SERVICES', [set(id)], 'ACCEPT')]),
    ...whenSet('loadBalancer', (id) => [rule('KUBE-SERVICES', [set(id)], 'ACCEPT')]),
    ...masqueradeRules(context),
  ];
}

/** What masks a marked packet on its way out, and what marks one. */
function masqueradeRules({ masqueradeMark: value, randomFully }: Context): readonly Placed[] {
  const reason: Match = { match: 'comment', text: 'kubernetes service traffic requiring SNAT' };
  return [
    rule('KUBE-POSTROUTING', [{ match: 'mark', value, mask: value, not: true }], 'RETURN'),
    // Cleared, so that a packet that crosses the stack again (a tunnel) is not masqueraded twice.
    rule('KUBE-POSTROUTING', [], { target: 'MARK', operation: 'xor', value }),
    rule('KUBE-POSTROUTING', [reason], masquerade(randomFully)),
    rule('KUBE-MARK-MASQ', [], { target: 'MARK', operation: 'or', value }),
  ];
}

/** Per protocol: ports with a local policy are let go unmarked, the others marked. */
function nodePortRules(context: Context): readonly Placed[] {
  const { whenSet, commented } = vocabulary(context);
  const kinds: readonly [Protocol, local: SetId, any: SetId][] = [
    ['TCP', 'nodePortLocalTcp', 'nodePortTcp'],
    ['UDP', 'nodePortLocalUdp', 'nodePortUdp'],
    ['SCTP', 'nodePortLocalSctp', 'nodePortSctp'],
  ];
  return kinds.flatMap(([protocol, local, any]) => {
    const matches = (id: SetId): Match[] => [{ match: 'protocol', protocol }, ...commented(id)];
    return [
      ...whenSet(local, (id) => [rule('KUBE-NODE-PORT', matches(id), 'RETURN')]),
      ...whenSet(any, (id) => [rule('KUBE-NODE-PORT', matches(id), 'KUBE-MARK-MASQ')]),
    ];
  });
}

/** Which packets to cluster IPs are marked for masquerading. */
function clusterIpRule(context: Context): Placed {
  const { masqueradeAll, localDetector } = context;
  const { commented, comment, set } = vocabulary(context);
  const mark = (matches: readonly Match[]) => rule('KUBE-SERVICES', matches, 'KUBE-MARK-MASQ');
  if (masqueradeAll) return mark(commented('clusterIp'));
  // Without a detector: a process of the node, which takes the VIP on our device as its source address.
  if (!localDetector) return mark([comment('clusterIp'), set('clusterIp', ['src', 'dst'])]);
  return mark([...commented('clusterIp'), notLocal(localDetector)]);
}

function notLocal(detector: LocalDetector): Match {
  switch (detector.kind) {
    case 'cidr':
      return { match: 'source', network: detector.network, not: true };
    case 'interface':
      return { match: 'inputInterface', name: detector.name, not: true };
  }
}

/** The filter table in write order. */
function filterRules(context: Context): readonly Placed[] {
  const { whenSet, commented } = vocabulary(context);
  const { masqueradeMark: value, rejectedLoadBalancers = [] } = context;
  return [
    ...whenSet('loadBalancerFw', (id) => [
      rule('KUBE-PROXY-FIREWALL', commented(id), 'KUBE-SOURCE-RANGES-FIREWALL'),
    ]),
    ...whenSet('loadBalancerSourceCidr', (id) => [
      rule('KUBE-SOURCE-RANGES-FIREWALL', commented(id), 'RETURN'),
    ]),
    ...whenSet('loadBalancerSourceIp', (id) => [
      rule('KUBE-SOURCE-RANGES-FIREWALL', commented(id), 'RETURN'),
    ]),
    rule('KUBE-SOURCE-RANGES-FIREWALL', [], 'DROP'),
    ...rejectedLoadBalancers.map(rejectRule),
    rule(
      'KUBE-FORWARD',
      [
        { match: 'comment', text: 'kubernetes forwarding rules' },
        { match: 'mark', value, mask: value },
      ],
      'ACCEPT',
    ),
    rule(
      'KUBE-FORWARD',
      [
        { match: 'comment', text: 'kubernetes forwarding conntrack rule' },
        { match: 'connectionState', states: ['RELATED', 'ESTABLISHED'] },
      ],
      'ACCEPT',
    ),
    rule('KUBE-NODE-PORT', commented('healthCheckNodePort'), 'ACCEPT'),
    ...accessFilterRules(context),
  ];
}

/**
 * The source match says "this node" whatever source address its process chose; packets of clients pass OUTPUT
 * too on their way to a real server, and must not be dropped there.
 */
function rejectRule({ address, protocol, port }: RejectedLoadBalancer): Placed {
  return rule(
    'KUBE-IPVS-OUT-FILTER',
    [
      { match: 'sourceType', type: 'LOCAL' },
      { match: 'ipvs', address, protocol, port, direction: 'ORIGINAL' },
    ],
    'DROP',
  );
}

/** A VIP answers on its Service's ports only: what else listens on the node stays out of reach through it. */
function accessFilterRules(context: Context): readonly Placed[] {
  const { set } = vocabulary(context);
  const services: readonly SetId[] = [
    'loadBalancer',
    'clusterIp',
    'externalIp',
    'externalIpLocal',
    'healthCheckNodePort',
  ];
  const isNew: Match = { match: 'connectionState', states: ['NEW'] };
  return [
    ...services.map((id) => rule('KUBE-IPVS-FILTER', [set(id)], 'RETURN')),
    rule('KUBE-IPVS-FILTER', [isNew, set('ipvsIps')], 'REJECT'),
  ];
}

/** The words that rules of one family are made of. */
function vocabulary({ family, nonEmpty }: Context) {
  const comment = (id: SetId): Match => ({ match: 'comment', text: setComment(id) });
  const set = (id: SetId, directions = setDirections(id)): Match => ({
    match: 'set',
    set: setName(id, family),
    directions,
  });
  return {
    comment,
    set,
    commented: (id: SetId): readonly Match[] => [comment(id), set(id)],
    /** Rules that are only written while a set has entries. */
    whenSet: <Id extends SetId>(id: Id, make: (id: Id) => readonly Placed[]) =>
      nonEmpty.has(id) ? make(id) : [],
  };
}

function fromLoopback({ family }: Context): Match {
  const network = parsePrefix(family === 'IPv4' ? '127.0.0.0/8' : '::1/128');
  if (network === undefined) throw new Error('the loopback network is no network');
  return { match: 'source', network };
}

function masquerade(randomFully: boolean): Target {
  return { target: 'MASQUERADE', randomFully };
}

/** A rule; its target is a verdict, one of our chains, or spelled out. */
function rule(
  chain: ChainName,
  matches: readonly Match[],
  target: Target | Verdict | ChainName,
): Placed {
  return { chain, matches, target: typeof target === 'string' ? named(target) : target };
}

function named(name: Verdict | ChainName): Target {
  return isVerdict(name) ? { target: name } : { target: 'jump', chain: name };
}

function isVerdict(name: Verdict | ChainName): name is Verdict {
  return name === 'RETURN' || name === 'ACCEPT' || name === 'DROP' || name === 'REJECT';
}

function jump(table: Table, [from, to]: readonly [Jump['from'], ChainName], comment: string): Jump {
  return { table, from, comment, to };
}

function chainsOf(
  table: Table,
  names: readonly ChainName[],
  placed: readonly Placed[],
): readonly Chain[] {
  return names.map((name) => ({
    table,
    name,
    rules: placed
      .filter(({ chain }) => chain === name)
      .map(({ matches, target }) => ({ matches, target })),
  }));
}
