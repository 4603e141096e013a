import type { ServiceOptions } from '../../kube/annotations.ts';
import type { NodeContext } from './footprint.ts';
import type { PortRealServers } from './port-real-servers.ts';

/** What the front ends of a port depend on besides the port. */
export interface Conditions {
  readonly options: ServiceOptions;
  readonly node: NodeContext;
  readonly realServers: PortRealServers;
}
