import type { IpAddress } from '../../ip/address.ts';

/** A UDP front end and who may answer for it: an address of a Service, or a node port on the node's addresses. */
export interface UdpFrontEnd {
  readonly addresses: readonly IpAddress[];
  readonly port: number;
  /** The serving endpoints, by `realServerKey`. With none, the front end's flows are left alone: nobody better could answer. */
  readonly endpoints: ReadonlySet<string>;
}
