import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';

/** A UDP front end and who may answer for it: an address of a Service, or a node port on the node's addresses. */
export interface UdpFrontEnd {
  readonly addresses: readonly IpAddress[];
  readonly port: number;
  readonly endpoints: ServingEndpoints;
}

/** The endpoints that serve, as they are whenever it is asked. With none, every flow of the front end is stale. */
export interface ServingEndpoints extends Iterable<RealServerId> {
  /** What it is a view of. Two views of one source differ: each is made when other endpoints serve than before. */
  readonly source?: object;
  readonly size: number;
  has(id: RealServerId): boolean;
}
