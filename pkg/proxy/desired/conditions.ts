import type { ServiceOptions } from '../../kube/annotations.ts';
import type { NodeContext } from './footprint.ts';
import type { PortServers } from './port-servers.ts';

/** What the front ends of a port depend on besides the port. */
export interface Conditions {
  readonly options: ServiceOptions;
  readonly node: NodeContext;
  readonly servers: PortServers;
}
