import { type IpAddress, isIPv6LinkLocal, isLoopback } from '../../ip/address.ts';
import type { Node } from '../../kube/types.ts';
import type { LinkAddress } from '../../links/links.ts';
import { deviceName } from './device.ts';
import type { NodeContext } from './footprint.ts';
import { detectNodeIPs } from './node-ips.ts';
import {
  type NodePortNetwork,
  type NodePortPlaces,
  nodePortAddresses,
} from './node-port-addresses.ts';

/** The settings that a node's values depend on. */
export interface NodeSettings
  extends Pick<NodeContext, 'nodeName' | 'scheduler' | 'externalIPs' | 'families'> {
  /** The networks in which node ports are served; empty for every address of the node. */
  readonly nodePortNetworks: readonly NodePortNetwork[];
  /** The node's primary address unless it is unspecified. */
  readonly bindAddress: IpAddress;
}

/** What is known of a node besides the settings. */
export interface NodeFacts {
  /** The Node object; `undefined` if there is none. */
  readonly node: Node | undefined;
  /** Those of the node's devices, without loopback ones. */
  readonly addresses: readonly IpAddress[];
}

/** Whether an address of a device is one of the node's own: not one of the dummy device or of loopback, nor an IPv6 link-local one. */
export function isOfNode({ address, link }: Pick<LinkAddress, 'address' | 'link'>): boolean {
  return link !== deviceName && !isLoopback(address) && !isIPv6LinkLocal(address);
}

/** Where node ports of a node are, and its own addresses. */
export function nodePlaces(settings: NodeSettings, { node, addresses }: NodeFacts): NodePortPlaces {
  const { bindAddress, families, nodePortNetworks: networks } = settings;
  const nodeIPs = detectNodeIPs({ bindAddress, addresses: node?.addresses ?? [] });
  return { networks, families, nodeIPs, nodeAddresses: addresses };
}

/** The values of a node that footprints depend on. */
export function nodeContext(settings: NodeSettings, facts: NodeFacts): NodeContext {
  const { nodeName, scheduler, externalIPs, families } = settings;
  const places = nodePlaces(settings, facts);
  return {
    nodeName,
    scheduler,
    externalIPs,
    families,
    zone: facts.node?.zone ?? '',
    nodeIPs: places.nodeIPs,
    nodePortAddresses: nodePortAddresses(places),
    nodeAddresses: new Set(facts.addresses),
  };
}
