import { type Family, familyOf, type IpAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';
import type { VirtualServerId } from '../ipvs/ipvs.ts';

/** Where a packet comes from. */
export type PacketOrigin =
  /** A process of the node. */
  | { readonly kind: 'node' }
  /** A device: a pod's, a bridge's, or one to the outside. */
  | {
      readonly kind: 'device';
      readonly name: string;
      /** The port of the bridge `name` that it came through, where `br_netfilter` shows bridged packets to iptables. */
      readonly bridgePort?: string;
    };

/** The first packet of a connection: conntrack calls it NEW. */
export interface Packet {
  readonly protocol: Protocol;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** The destination port. */
  readonly port: number;
  /** Without it, a rule that matches the source port cannot be judged. */
  readonly sourcePort?: number;
  readonly origin: PacketOrigin;
}

/** A packet at one hook, with the properties that rules can match. */
export interface PacketView {
  readonly family: Family;
  readonly protocol: Protocol;
  /** `undefined` after masquerading, when it is one of the node's own addresses. */
  readonly source: IpAddress | undefined;
  readonly sourcePort: number | undefined;
  readonly destination: IpAddress;
  readonly port: number;
  readonly mark: number;
  /** The input device; '' if there is none. */
  readonly input: string;
  /** The output device; '' before it is known where the packet goes, `undefined` if the state does not say. */
  readonly output: string | undefined;
  readonly isFromBridgePort: boolean;
  /** The virtual server by which IPVS balanced it. */
  readonly virtualServer: VirtualServerId | undefined;
}

/** The packet as it enters the stack, without a mark. */
export function enteringPacket({ origin, ...packet }: Packet): PacketView {
  return {
    family: familyOf(packet.destination),
    protocol: packet.protocol,
    source: packet.source,
    sourcePort: packet.sourcePort,
    destination: packet.destination,
    port: packet.port,
    mark: 0,
    input: origin.kind === 'node' ? '' : origin.name,
    output: '',
    isFromBridgePort: origin.kind === 'device' && origin.bridgePort !== undefined,
    virtualServer: undefined,
  };
}
