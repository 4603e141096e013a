import type { SavedRule } from '../firewall/saved-rule.ts';
import type { IpAddress } from '../ip/address.ts';
import type { RealServer, VirtualServer } from '../ipvs/ipvs.ts';

/** Where in the stack netfilter looks at a packet. */
export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';

/** A chain at a hook. */
export interface Place {
  readonly hook: Hook;
  readonly table: string;
  readonly chain: string;
}

/** A step of a packet, in order. Rules that do not match are no steps. */
export type Step =
  | { readonly kind: 'rule'; readonly place: Place; readonly rule: SavedRule }
  /** No rule of a built-in chain decided, and its policy is DROP. */
  | { readonly kind: 'policy'; readonly place: Place }
  /** The route of the packet: to the node itself if `link` has its destination, otherwise elsewhere. */
  | { readonly kind: 'route'; readonly destination: IpAddress; readonly link: string | undefined }
  /** IPVS balances it by a virtual server. */
  | { readonly kind: 'ipvs'; readonly hook: Hook; readonly virtualServer: VirtualServer }
  /** A rule that cannot be judged, or a table that cannot be read. The rest is unknown. */
  | { readonly kind: 'unknown'; readonly place: Place; readonly reason: string };

/** The result of a packet's way through rules. */
export type Fate = 'passed' | 'dropped' | 'rejected' | 'unknown';

/** The result if IPVS chooses a certain real server. */
export interface Choice {
  readonly realServer: RealServer;
  /** Whether the real server has an address of this node, so that its packets never leave. */
  readonly isOnNode: boolean;
  /** Whether the real server is the client itself. */
  readonly isHairpin: boolean;
  readonly steps: readonly Step[];
  readonly fate: Fate;
  /** The rule that masquerades the client's address. */
  readonly masqueradedBy: SavedRule | undefined;
}

/** The real servers that IPVS may choose from. */
export interface Balancing {
  readonly virtualServer: VirtualServer;
  /** One for each real server that may be chosen. */
  readonly choices: readonly Choice[];
  /** Real servers of weight 0, which take no new connections. */
  readonly draining: readonly RealServer[];
  /** For how many seconds a client stays at its real server; 0 if each connection is balanced separately. */
  readonly affinitySeconds: number;
  /** Why the scheduler may refuse a connection although there are choices. */
  readonly mayRefuse: string | undefined;
}

/** The final result of a packet. */
export type Verdict =
  /** IPVS sends it to a real server, unless rules drop it for the chosen one. */
  | { readonly kind: 'balanced'; readonly balancing: Balancing }
  /** IPVS refuses it with an ICMP message, as no real server may be chosen. */
  | { readonly kind: 'refused'; readonly balancing: Balancing }
  /** A rule or policy drops or rejects it: see the last step. */
  | { readonly kind: 'dropped' | 'rejected' }
  /** It is delivered to a socket of the node, not balanced. */
  | { readonly kind: 'node' }
  /** It is forwarded, not balanced. */
  | { readonly kind: 'forwarded'; readonly masqueradedBy: SavedRule | undefined }
  /** It met a rule that cannot be judged: see the last step. */
  | { readonly kind: 'unknown' };

/** The trace of one packet. */
export interface Trace {
  /** The steps until IPVS balances the packet, or to the end. */
  readonly steps: readonly Step[];
  readonly verdict: Verdict;
}
