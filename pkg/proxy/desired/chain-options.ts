import type { IpAddress } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { SetId } from './sets.ts';

/** How rules recognise packets of pods of this cluster, or of this node. */
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

/** The input of the rules of one family. */
export interface ChainOptions {
  /** The sets that have wanted entries. */
  readonly nonEmpty: ReadonlySet<SetId>;
  /** The packet mark that asks for masquerading: one bit. */
  readonly masqueradeMark: number;
  readonly masqueradeAll: boolean;
  readonly localDetector: LocalDetector | undefined;
  /**
   * Recognises packets of pods. With `externalTrafficPolicy: Local` and no local endpoint, pods may use endpoints on other nodes, and
   * clients from outside may not. Without a detector no client is denied.
   */
  readonly podDetector?: LocalDetector | undefined;
  /** Whether the iptables in use knows `--random-fully`. */
  readonly randomFully: boolean;
  readonly rejectedLoadBalancers?: readonly RejectedLoadBalancer[];
  /** Ranges of VIPs in which nothing but Services is to be reached. */
  readonly closedRanges?: readonly Prefix[];
}
