import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import type { Policy } from './real-servers.ts';

/** A record that came or went, and the port number that its slice gives. */
export interface PortRecord {
  readonly port: number;
  readonly endpoint: Endpoint;
}

/** Records that came and went: in slices, and among those that vanished a moment ago. */
export interface EndpointDifference {
  readonly added: readonly PortRecord[];
  readonly removed: readonly PortRecord[];
  readonly vanished: readonly PortRecord[];
  /** They came back, or did not within the time. */
  readonly unvanished: readonly PortRecord[];
}

/** What a difference changed of a service port. */
export interface EndpointChange {
  /** The addresses and ports at which another endpoint counts than before. */
  readonly ids: readonly RealServerId[];
  /** The policies that choose among all endpoints by another rule than before. */
  readonly policies: ReadonlySet<Policy>;
  /** The addresses and ports that became, or ceased to be, endpoints of this node. */
  readonly becameLocal: readonly RealServerId[];
  readonly ceasedLocal: readonly RealServerId[];
  /** Whether somebody else serves than before. */
  readonly changesServing: boolean;
}
