import type { Family, IpAddress } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import type { VirtualServer } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { EndpointSlice, Service } from '../../kube/types.ts';
import type { EndpointChange } from './endpoint-difference.ts';
import type { NodeIPs } from './node-ips.ts';
import type { PortName } from './port-name.ts';
import type { Policy, RealServers } from './real-servers.ts';
import type { Owner } from './service.ts';
import type { SetId } from './sets.ts';
import type { NodeTopology } from './topology.ts';
import type { UdpFrontEnd } from './udp-front-end.ts';

/** The node's values that a Service's footprint depends on. */
export interface NodeContext extends NodeTopology {
  /** Those that are served. */
  readonly families: readonly Family[];
  /** Where node ports are served. */
  readonly nodePortAddresses: readonly IpAddress[];
  /** What the node has on devices of its own. */
  readonly nodeAddresses: ReadonlySet<IpAddress>;
  /** The node's own address of either family, that of the primary family first; loopback where it is not known. */
  readonly nodeIPs: NodeIPs;
  readonly scheduler: string;
  /** Whether `spec.externalIPs` are served. */
  readonly externalIPs: boolean;
}

/** The API objects of one Service, and what it asks for by annotations. */
export interface ServiceObjects {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  /** Slices made of endpoints that vanished a moment ago and may come back: they lose new connections only. */
  readonly vanished: readonly EndpointSlice[];
  readonly options?: ServiceOptions;
}

/** An entry of one of our sets, each of which there is once for each family. */
export interface SetEntry {
  readonly set: SetId;
  readonly family: Family;
  readonly entry: Entry;
}

/** Where a virtual server's address and port come from: the API allocated them, or they were written into the Service. */
export type AddressKind = 'allocated' | 'loadBalancer' | 'external';

/** One virtual server with the entries and the address that exist as long as it does. */
export interface FrontEnd {
  /** The Service that wants it; `undefined` for one that no Service wants. */
  readonly owner: Owner | undefined;
  readonly virtualServer: VirtualServer;
  readonly addressKind: AddressKind;
  /** Whether its address goes onto the dummy device. */
  readonly isBound: boolean;
  /** Whether clients come to it from outside the cluster. */
  readonly isExposed: boolean;
  /** What its Service asks for by annotations. */
  readonly options: ServiceOptions;
  /** Which endpoints its clients go to; `undefined` for one that no Service wants. */
  readonly policy: Policy | undefined;
  readonly realServers: RealServers;
  readonly entries: readonly SetEntry[];
}

/** A front end that a Service wants. */
export interface OwnedFrontEnd extends FrontEnd {
  readonly owner: Owner;
}

/** All kernel objects that one Service, or one port of it, wants. */
export interface Footprint {
  readonly owner: Owner;
  readonly port: PortName;
  readonly frontEnds: readonly OwnedFrontEnd[];
  /** Entries that belong to no front end: what endpoints of this node reach themselves through. */
  readonly hairpins: Iterable<SetEntry>;
  /** UDP front ends with the endpoints that may answer for them, whatever the policies: flows of others are stale. */
  readonly udpFrontEnds: readonly UdpFrontEnd[];
  /** Which traffic policies find no endpoint on this node although there are some elsewhere. */
  readonly withoutLocalEndpoints: ReadonlySet<LocalLack>;
}

/** A traffic policy that asks for local endpoints, and the family in which there are none. */
export type LocalLack = `${'internal' | 'external'} ${Family}`;

/** The changes of a port's footprint by a difference of endpoints: for some of its parts, the value before and after. */
export interface FootprintChange extends Pick<EndpointChange, 'ids' | 'policies'> {
  readonly hairpins: BeforeAfter<Iterable<SetEntry>>;
  readonly withoutLocalEndpoints: BeforeAfter<ReadonlySet<LocalLack>>;
  /** All of them, each with a view of its own if other endpoints serve than before. */
  readonly udpFrontEnds: BeforeAfter<readonly UdpFrontEnd[]>;
}

/** The value before a change and the value after it. */
export interface BeforeAfter<T> {
  readonly before: T;
  readonly after: T;
}
