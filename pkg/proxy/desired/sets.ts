import type { Family } from '../../ip/address.ts';
import type { Entry, SetHeader } from '../../ipset/ipset.ts';

/**
 * The ip sets of IPVS mode, upstream's first. Names, types and comments are an interface: other programs, and an upstream
 * kube-proxy that is rolled back to, match on them. The comment stands in rules; it is not stored in the set.
 */
const table = {
  /** An endpoint of this node that reaches itself through its own Service: masqueraded, or it would answer itself directly. */
  loopBack: {
    name: 'KUBE-LOOP-BACK',
    type: 'hash:ip,port,ip',
    comment: 'Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose',
  },
  clusterIp: {
    name: 'KUBE-CLUSTER-IP',
    type: 'hash:ip,port',
    comment: 'Kubernetes service cluster ip + port for masquerade purpose',
  },
  externalIp: {
    name: 'KUBE-EXTERNAL-IP',
    type: 'hash:ip,port',
    comment: 'Kubernetes service external ip + port for masquerade and filter purpose',
  },
  externalIpLocal: {
    name: 'KUBE-EXTERNAL-IP-LOCAL',
    type: 'hash:ip,port',
    comment: 'Kubernetes service external ip + port with externalTrafficPolicy=local',
  },
  loadBalancer: {
    name: 'KUBE-LOAD-BALANCER',
    type: 'hash:ip,port',
    comment: 'Kubernetes service lb portal',
  },
  loadBalancerFw: {
    name: 'KUBE-LOAD-BALANCER-FW',
    type: 'hash:ip,port',
    comment: 'Kubernetes service load balancer ip + port for load balancer with sourceRange',
  },
  loadBalancerLocal: {
    name: 'KUBE-LOAD-BALANCER-LOCAL',
    type: 'hash:ip,port',
    comment: 'Kubernetes service load balancer ip + port with externalTrafficPolicy=local',
  },
  loadBalancerSourceIp: {
    name: 'KUBE-LOAD-BALANCER-SOURCE-IP',
    type: 'hash:ip,port,ip',
    comment: 'Kubernetes service load balancer ip + port + source IP for packet filter purpose',
  },
  loadBalancerSourceCidr: {
    name: 'KUBE-LOAD-BALANCER-SOURCE-CIDR',
    type: 'hash:ip,port,net',
    comment: 'Kubernetes service load balancer ip + port + source cidr for packet filter purpose',
  },
  nodePortTcp: {
    name: 'KUBE-NODE-PORT-TCP',
    type: 'bitmap:port',
    comment: 'Kubernetes nodeport TCP port for masquerade purpose',
  },
  nodePortLocalTcp: {
    name: 'KUBE-NODE-PORT-LOCAL-TCP',
    type: 'bitmap:port',
    comment: 'Kubernetes nodeport TCP port with externalTrafficPolicy=local',
  },
  nodePortUdp: {
    name: 'KUBE-NODE-PORT-UDP',
    type: 'bitmap:port',
    comment: 'Kubernetes nodeport UDP port for masquerade purpose',
  },
  nodePortLocalUdp: {
    name: 'KUBE-NODE-PORT-LOCAL-UDP',
    type: 'bitmap:port',
    comment: 'Kubernetes nodeport UDP port with externalTrafficPolicy=local',
  },
  /** bitmap:port cannot hold SCTP ports, so the node's addresses are spelled out. */
  nodePortSctp: {
    name: 'KUBE-NODE-PORT-SCTP-HASH',
    type: 'hash:ip,port',
    comment: "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
  },
  nodePortLocalSctp: {
    name: 'KUBE-NODE-PORT-LOCAL-SCTP-HASH',
    type: 'hash:ip,port',
    comment:
      "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
  },
  healthCheckNodePort: {
    name: 'KUBE-HEALTH-CHECK-NODE-PORT',
    type: 'bitmap:port',
    comment: 'Kubernetes health check node port',
  },
  /** Every address that is bound for a Service; on other ports than its own it answers nobody. */
  ipvsIps: {
    name: 'KUBE-IPVS-IPS',
    type: 'hash:ip',
    comment: 'Addresses on the ipvs interface',
  },
  /** Ours: front ends with `externalTrafficPolicy: Local` whose real servers are elsewhere, as this node has no endpoint. No comment. */
  noLocal: { name: 'KUBE-IPVS-NO-LOCAL', type: 'hash:ip,port', comment: '' },
} as const satisfies Record<
  string,
  { readonly name: string; readonly type: Entry['type']; readonly comment: string }
>;

/** One of our ip sets, whatever the family: each stands for two sets in the kernel. */
export type SetId = keyof typeof table;

/** Every set, in the order of the table. */
export const setIds = Object.keys(table) as readonly SetId[];

/** IPSET_MAXNAMELEN of linux/netfilter/ipset/ip_set.h is 32, the final NUL included. */
const longestName = 31;

/** A set's name in the kernel; two of the IPv6 names are cut to the length it allows. */
export function setName(id: SetId, family: Family): string {
  return setNames[family][id];
}

const setNames: Readonly<Record<Family, Readonly<Record<SetId, string>>>> = {
  IPv4: namesOf(({ name }) => name),
  IPv6: namesOf(({ name }) => name.replace(/^KUBE-/, 'KUBE-6-').slice(0, longestName)),
};

function namesOf(nameOf: (row: { readonly name: string }) => string): Record<SetId, string> {
  const names = Object.entries(table).map(([id, row]) => [id, nameOf(row)]);
  return Object.fromEntries(names) as Record<SetId, string>; // the keys are those of the table
}

/** What the set is for, as the rules that match on it say in their comments. */
export function setComment(id: SetId): string {
  return table[id].comment;
}

/** How many entries a set has room for that never had to grow. */
const usualSetSize = 65_536;
/** The largest that a set grows. */
const largestSetSize = 1_048_576;

/**
 * What a set is created with: upstream's header, so that its `create -exist` succeeds on ours, unless it has to be larger than
 * upstream's ever is.
 */
export function setHeader(id: SetId, family: Family, size = usualSetSize): SetHeader {
  const name = setName(id, family);
  const { type } = table[id];
  return type === 'bitmap:port'
    ? { name, type, firstPort: 0, lastPort: 65_535 }
    : { name, type, family, hashSize: 1024, maxElements: size };
}

/**
 * The size that a set should have that needs room for so many entries. It grows by doubling, up to {@link largestSetSize}. One that has
 * grown goes back when three quarters of the usual size would do, and not at every entry that comes or goes.
 */
export function setSize({ needed, size }: { needed: number; size: number }): number {
  const isOurs = size === usualSetSize || (size < largestSetSize * 2 && isGrown(size));
  const isShrinking = size > usualSetSize && needed <= (usualSetSize * 3) / 4;
  if (isOurs && needed <= size && !isShrinking) return size;
  let fitting = usualSetSize;
  while (fitting < needed && fitting < largestSetSize) fitting *= 2;
  return fitting;
}

function isGrown(size: number): boolean {
  return size > usualSetSize && Number.isInteger(Math.log2(size / usualSetSize));
}

/**
 * What entries of a set do to clients, which decides about the order in which they come and go: they allow; they deny, and come after
 * those that allow and go after them; or they exempt from a denial: they come before it, and go after it.
 */
export type EntryEffect = 'allow' | 'deny' | 'exempt';

const effects: { readonly [Id in SetId]?: EntryEffect } = {
  ipvsIps: 'deny',
  noLocal: 'deny',
  loadBalancerFw: 'deny',
  loadBalancerSourceIp: 'exempt',
  loadBalancerSourceCidr: 'exempt',
};

/** The effect of a set's entries. */
export function entryEffect(id: SetId): EntryEffect {
  return effects[id] ?? 'allow';
}

/** Which parts of a packet a rule compares with an entry: its destination, and in the longer types its source. */
export function setDirections(id: SetId): readonly ('src' | 'dst')[] {
  switch (table[id].type) {
    case 'hash:ip':
    case 'bitmap:port':
      return ['dst'];
    case 'hash:ip,port':
      return ['dst', 'dst'];
    case 'hash:ip,port,ip':
    case 'hash:ip,port,net':
      return ['dst', 'dst', 'src'];
  }
}
