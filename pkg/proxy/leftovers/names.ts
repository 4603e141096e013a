/** The chains of one table that a kube-proxy creates: full names, and prefixes of the names for a Service or endpoint. */
interface ChainNames {
  readonly whole: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/**
 * The chains of every mode and release. Not among them: what kubelet makes (KUBE-FIREWALL in the filter table, KUBE-MARK-DROP,
 * KUBE-KUBELET-CANARY, KUBE-IPTABLES-HINT).
 */
const chains: Readonly<Record<string, ChainNames>> = {
  nat: {
    whole: new Set([
      'KUBE-SERVICES',
      'KUBE-POSTROUTING',
      'KUBE-MARK-MASQ',
      'KUBE-NODE-PORT', // IPVS mode
      'KUBE-LOAD-BALANCER', // IPVS mode
      'KUBE-FIREWALL', // IPVS mode up to v1.24: source ranges of load balancers
      'KUBE-NODEPORTS', // iptables mode
      'KUBE-PROXY-CANARY', // iptables mode
    ]),
    prefixes: ['KUBE-SVC-', 'KUBE-SVL-', 'KUBE-EXT-', 'KUBE-SEP-', 'KUBE-FW-', 'KUBE-XLB-'],
  },
  filter: {
    whole: new Set([
      'KUBE-FORWARD',
      'KUBE-PROXY-FIREWALL',
      'KUBE-NODE-PORT', // IPVS mode
      'KUBE-SOURCE-RANGES-FIREWALL', // IPVS mode
      'KUBE-IPVS-FILTER', // IPVS mode
      'KUBE-IPVS-OUT-FILTER', // IPVS mode
      'KUBE-SERVICES', // iptables mode
      'KUBE-EXTERNAL-SERVICES', // iptables mode
      'KUBE-NODEPORTS', // iptables mode
      'KUBE-PROXY-CANARY', // iptables mode
    ]),
    prefixes: [],
  },
  mangle: { whole: new Set(['KUBE-PROXY-CANARY']), prefixes: [] },
};

/** Whether any mode of kube-proxy creates a chain with this name. */
export function isProxyChain(table: string, name: string): boolean {
  const known = chains[table];
  if (known === undefined) return false;
  return known.whole.has(name) || known.prefixes.some((prefix) => name.startsWith(prefix));
}

/** Whether any mode of kube-proxy creates chains in a table. */
export function hasProxyChains(table: string): boolean {
  return table in chains;
}

/** The comments of the jumps from built-in chains to those chains, in all modes and releases. */
export const jumpComments: ReadonlySet<string> = new Set([
  'kubernetes service portals',
  'kubernetes externally-visible service portals',
  'kubernetes postrouting rules',
  'kubernetes forwarding rules',
  'kubernetes health check rules',
  'kubernetes health check service ports',
  'kubernetes load balancer firewall',
  'kube-proxy firewall rules',
  'kubernetes ipvs access filter',
]);

/** The table of upstream's nftables mode, in both families. */
export const nftTableName = 'kube-proxy';
