import type { IpAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { SetId } from './sets.ts';

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
  /**
   * Tells pods, which may use endpoints elsewhere where `externalTrafficPolicy: Local` finds none here, from strangers, who may not.
   * Without one nobody is kept away.
   */
  readonly podDetector?: LocalDetector | undefined;
  /** Whether the iptables in use knows `--random-fully`. */
  readonly randomFully: boolean;
  readonly rejectedLoadBalancers?: readonly RejectedLoadBalancer[];
}
