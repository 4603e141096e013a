import type { Failure } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';
import { type Prefix, printPrefix } from '../ip/prefix.ts';

/** A network whose addresses all count as the node's own, although no device has them. */
export interface LocalRoute {
  readonly network: Prefix;
  /** The address that the node's own clients send from; `undefined` for the one that they send to. */
  readonly source: IpAddress | undefined;
}

/**
 * One write. Adding a route that is there sets its source, without a moment in which it is missing. Both may be repeated: one that
 * is not there counts as deleted.
 */
export type RouteWrite =
  | { readonly kind: 'addRoute'; readonly network: Prefix; readonly source: IpAddress | undefined }
  | { readonly kind: 'deleteRoute'; readonly network: Prefix };

/** The local routes of this program in this network namespace. Routes of others, the kernel's own among them, are neither seen nor changed. */
export interface Routes {
  /** All local routes of this program, of both families. */
  routes(): Promise<readonly LocalRoute[]>;
  /** Tries every write and returns those that failed; EINVAL for a source that no device has. */
  write(batch: readonly RouteWrite[]): readonly Failure[];
}

/** A route in one line: `172.30.0.0/16 src 192.168.0.10`. */
export function printLocalRoute({ network, source }: LocalRoute): string {
  return source === undefined ? printPrefix(network) : `${printPrefix(network)} src ${source}`;
}

/** A write for error messages: `add local route 172.30.0.0/16 src 192.168.0.10`. */
export function printRouteWrite(write: RouteWrite): string {
  return write.kind === 'addRoute'
    ? `add local route ${printLocalRoute(write)}`
    : `delete local route ${printPrefix(write.network)}`;
}
