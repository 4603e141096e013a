import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import type { Policy } from './real-servers.ts';

/** A record that came or went, and the port number that its slice gives. */
export interface PortRecord {
  readonly port: number;
  readonly endpoint: Endpoint;
}

/** Records that were added and removed: in slices, and among those that vanished a moment ago. */
export interface EndpointDifference {
  readonly added: readonly PortRecord[];
  readonly removed: readonly PortRecord[];
  readonly vanished: readonly PortRecord[];
  /** The endpoints came back, or their time to come back is over. */
  readonly unvanished: readonly PortRecord[];
}

/** The effects of a difference on a service port. */
export interface EndpointChange {
  /** The addresses and ports whose endpoint changed. */
  readonly ids: readonly RealServerId[];
  /** The policies whose rule of selection changed for all endpoints. */
  readonly policies: ReadonlySet<Policy>;
  /** The addresses and ports that became, or ceased to be, endpoints of this node. */
  readonly becameLocal: readonly RealServerId[];
  readonly ceasedLocal: readonly RealServerId[];
  /** Whether the set of serving endpoints changed. */
  readonly changesServing: boolean;
}
