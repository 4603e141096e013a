import type { Flow } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import { protocols } from '../../ip/protocol.ts';
import type { RealServerId, VirtualServerId } from '../../ipvs/ipvs.ts';
import type { ClientConnection } from '../../reset/reset.ts';
import { RealServerMap } from '../desired/real-server-map.ts';

/** A real server and the virtual server that it stands behind. */
export interface FlowEnds {
  readonly virtualServer: VirtualServerId;
  readonly realServer: RealServerId;
}

/**
 * The virtual server that a flow's client addressed, and the real server that answers it. The result means nothing for flows that
 * IPVS did not balance.
 */
export function endsOf({ protocol, original, reply }: Flow): FlowEnds {
  return {
    virtualServer: { protocol, address: original.destination, port: original.destinationPort },
    realServer: { address: reply.source, port: reply.sourcePort },
  };
}

/** A map from real servers across all virtual servers. It makes no text keys. */
export class FlowEndsMap<T> {
  /** By the virtual server's address, and by its protocol and port. */
  readonly #all = new Map<IpAddress, Map<number, RealServerMap<T>>>();

  get({ virtualServer, realServer }: FlowEnds): T | undefined {
    const realServers = this.#all.get(virtualServer.address)?.get(portKey(virtualServer));
    return realServers?.get(realServer);
  }

  set({ virtualServer, realServer }: FlowEnds, item: T): this {
    const { address } = virtualServer;
    const ports = this.#all.get(address) ?? new Map<number, RealServerMap<T>>();
    const realServers = ports.get(portKey(virtualServer)) ?? new RealServerMap<T>();
    realServers.set(realServer, item);
    this.#all.set(address, ports.set(portKey(virtualServer), realServers));
    return this;
  }

  *values(): Generator<T> {
    for (const ports of this.#all.values())
      for (const realServers of ports.values()) yield* realServers.values();
  }
}

/** A port of a protocol as one number. */
function portKey({ protocol, port }: VirtualServerId): number {
  return port * protocols.length + protocols.indexOf(protocol);
}

/** The addresses and ports of a connection as its client has them. */
export function connectionOf({ original }: Flow): ClientConnection {
  return {
    server: original.destination,
    serverPort: original.destinationPort,
    client: original.source,
    clientPort: original.sourcePort,
  };
}
