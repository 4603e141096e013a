import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';

/** A UDP front end and who may answer for it: an address of a Service, or a node port on the node's addresses. */
export interface UdpFrontEnd {
  readonly addresses: readonly IpAddress[];
  readonly port: number;
  readonly endpoints: ServingEndpoints;
}

/** A live view of the serving endpoints. If it is empty, every flow of the front end is stale. */
export interface ServingEndpoints extends Iterable<RealServerId> {
  /** The source of the view. Two views of one source differ, as a new one is made when the set of serving endpoints changes. */
  readonly source?: object;
  readonly size: number;
  has(id: RealServerId): boolean;
}
