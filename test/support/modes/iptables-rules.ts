// The parts of upstream's iptables mode that are the same for any Services: chains, jumps, masquerading, and how a port is balanced.

/** An endpoint as its chain sends to it. */
export interface RuleEndpoint {
  readonly chain: string;
  /** Its address alone: `10.0.1.1/32`. */
  readonly route: string;
  /** `10.0.1.1:8080` */
  readonly target: string;
}

/** Chains that are named in a restore, and rules that follow. */
export interface ChainedRules {
  readonly chains: readonly string[];
  readonly rules: readonly string[];
}

/** A port whose connections are balanced among endpoints. */
interface BalancedPort {
  /** For comments: `shop/web:tcp`. */
  readonly name: string;
  readonly protocol: string;
  /** The chain that chooses. */
  readonly balancing: string;
  readonly endpoints: readonly RuleEndpoint[];
  /** Seconds of session affinity; 0 for none. */
  readonly affinitySeconds: number;
}

const natChains = ['SERVICES', 'NODEPORTS', 'POSTROUTING', 'MARK-MASQ'];
const filterChains = ['NODEPORTS', 'SERVICES', 'EXTERNAL-SERVICES', 'FORWARD', 'PROXY-FIREWALL'];

const chainNames = [
  ...natChains.map((chain) => ['nat', `KUBE-${chain}`]),
  ...filterChains.map((chain) => ['filter', `KUBE-${chain}`]),
  ...['mangle', 'nat', 'filter'].map((table) => [table, 'KUBE-PROXY-CANARY']),
] as const;

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

/** Lines of a shell that make the chains and jumps which are missing, by a program of iptables. */
export function chainCommands(program: string): readonly string[] {
  return [
    ...chainNames.map(([table, chain]) => `${program} -t ${table} -N ${chain} 2>/dev/null || true`),
    ...jumps.map(([table, from, state, words, to]) => {
      const isNew = state === '' ? '' : `-m conntrack --ctstate ${state} `;
      const rule = `${from} ${isNew}-m comment --comment '${words}' -j KUBE-${to}`;
      const run = `${program} -t ${table}`;
      return `${run} -C ${rule} 2>/dev/null || ${run} -I ${rule}`;
    }),
  ];
}

/** The nat table with the chains and rules of Services in it, as a restore takes it. */
export function natTable({ chains, rules }: ChainedRules): readonly string[] {
  return [
    '*nat',
    ...natChains.map((name) => `:KUBE-${name} - [0:0]`),
    ...chains.map((name) => `:${name} - [0:0]`),
    '-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN',
    '-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000',
    `-A KUBE-POSTROUTING ${comment('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully`,
    '-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000',
    ...rules,
    `-A KUBE-SERVICES ${comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain')} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS`,
    'COMMIT',
  ];
}

/** The filter table with rules of Services in it, as a restore takes it. */
export function filterTable(rules: readonly string[]): readonly string[] {
  return [
    '*filter',
    ...filterChains.map((name) => `:KUBE-${name} - [0:0]`),
    ...rules,
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    `-A KUBE-FORWARD ${comment('kubernetes forwarding rules')} -m mark --mark 0x00004000/0x00004000 -j ACCEPT`,
    `-A KUBE-FORWARD ${comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    'COMMIT',
  ];
}

/** The rule that leads to a port's chain by its cluster IP. `at` matches protocol, address and port. */
export function clusterIpRule(name: string, { at, chain }: { at: string; chain: string }): string {
  return `-A KUBE-SERVICES ${comment(`${name} cluster IP`)} ${at} -j ${chain}`;
}

/** The rule that marks what comes to a cluster IP from outside the pods' network. */
export function outsideRule(
  name: string,
  { at, chain, pods }: { at: string; chain: string; pods: string },
): string {
  return `-A ${chain} ${comment(`${name} cluster IP`)} ${at} ! -s ${pods} -j KUBE-MARK-MASQ`;
}

/** An endpoint each: with affinity those that a client was sent to last come before the others. */
export function balancingRules(port: BalancedPort): ChainedRules {
  const { name, protocol, balancing, endpoints, affinitySeconds } = port;
  const recent = ({ chain }: RuleEndpoint) =>
    affinitySeconds === 0
      ? []
      : [
          `-A ${balancing} ${comment(name)} -m recent --name ${chain} --rcheck --seconds ${affinitySeconds} --reap -j ${chain}`,
        ];
  const chosen = endpoints.map(({ chain, target }, index) => {
    const left = endpoints.length - index;
    const chance = left === 1 ? '' : `-m statistic --mode random --probability ${1 / left} `;
    return `-A ${balancing} ${comment(`${name} -> ${target}`)} ${chance}-j ${chain}`;
  });
  const sent = endpoints.flatMap(({ chain, route, target }) => {
    const isNoted = affinitySeconds === 0 ? '' : `-m recent --name ${chain} --set `;
    return [
      `-A ${chain} ${comment(name)} -s ${route} -j KUBE-MARK-MASQ`,
      `-A ${chain} ${comment(name)} ${isNoted}-p ${protocol} -j DNAT --to-destination ${target}`,
    ];
  });
  return {
    chains: endpoints.map(({ chain }) => chain),
    rules: [...endpoints.flatMap(recent), ...chosen, ...sent],
  };
}

/** `-m comment --comment "text"` */
export function comment(text: string): string {
  return `-m comment --comment "${text}"`;
}
