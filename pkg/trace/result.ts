import type { SavedRule } from '../firewall/saved-rule.ts';
import type { IpAddress } from '../ip/address.ts';
import type { RealServer, VirtualServer } from '../ipvs/ipvs.ts';

/** Where in the stack netfilter looks at a packet. */
export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** A chain at a hook: what a step names first. */
export interface Place {
  readonly hook: Hook;
  readonly table: string;
  readonly chain: string;
}

/** One thing that the packet meets, in order. Rules that do not match it are none. */
export type Step =
  | { readonly kind: 'rule'; readonly place: Place; readonly rule: SavedRule }
  /** No rule of a built-in chain decided, and its policy is DROP. */
  | { readonly kind: 'policy'; readonly place: Place }
  /** The route that the packet takes: to the node itself, where `link` has its destination, or elsewhere. */
  | { readonly kind: 'route'; readonly destination: IpAddress; readonly link: string | undefined }
  /** IPVS takes it for a virtual server. */
  | { readonly kind: 'ipvs'; readonly hook: Hook; readonly virtualServer: VirtualServer }
  /** A rule that cannot be judged, or a table that cannot be read: nothing is known from here on. */
  | { readonly kind: 'unknown'; readonly place: Place; readonly reason: string };

/** What became of a packet on its way through rules. */
export type Fate = 'passed' | 'dropped' | 'rejected' | 'unknown';

/** What becomes of the packet if IPVS chooses a real server. */
export interface Choice {
  readonly realServer: RealServer;
  /** The real server has an address of this node: its packets never leave. */
  readonly isOnNode: boolean;
  /** The real server is the client itself. */
  readonly isHairpin: boolean;
  readonly steps: readonly Step[];
  readonly fate: Fate;
  /** The rule by which the real server sees one of the node's addresses in place of the client's. */
  readonly masqueradedBy: SavedRule | undefined;
}

/** Which real servers there are to choose from. */
export interface Balancing {
  readonly virtualServer: VirtualServer;
  /** One for each real server that may be chosen. */
  readonly choices: readonly Choice[];
  /** Real servers of weight 0, which take no new connections. */
  readonly draining: readonly RealServer[];
  /** Seconds for which a client stays at its real server; 0 if each connection is balanced by itself. */
  readonly affinitySeconds: number;
  /** Why the scheduler may refuse though there are choices. */
  readonly mayRefuse: string | undefined;
}

/** What becomes of a packet in the end. */
export type Verdict =
  /** IPVS sends it to a real server, unless the rules say otherwise about the one chosen. */
  | { readonly kind: 'balanced'; readonly balancing: Balancing }
  /** IPVS refuses it with an ICMP message: no real server may be chosen. */
  | { readonly kind: 'refused'; readonly balancing: Balancing }
  /** A rule or a chain's policy ends it, in silence or with an ICMP message: the last step says which. */
  | { readonly kind: 'dropped' | 'rejected' }
  /** It is handed to the sockets of the node, not balanced. */
  | { readonly kind: 'node' }
  /** It is routed on, not balanced. */
  | { readonly kind: 'forwarded'; readonly masqueradedBy: SavedRule | undefined }
  /** It met a rule that cannot be judged: the last step says which. */
  | { readonly kind: 'unknown' };

/** The way of one packet. */
export interface Trace {
  /** Until IPVS takes the packet, or to the end if it does not. */
  readonly steps: readonly Step[];
  readonly verdict: Verdict;
}
