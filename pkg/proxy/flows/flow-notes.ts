import { type Flow, isUntranslated } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { realServerKey, type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import { endsOf } from './flow-ends.ts';

/** A UDP front end and who may answer for it: an address of a Service, or a node port on the node's addresses. */
export interface UdpFrontEnd {
  readonly addresses: readonly IpAddress[];
  readonly port: number;
  /** The serving endpoints, by {@link realServerKey}. With none, the front end's flows are left alone: nobody better could answer. */
  readonly endpoints: ReadonlySet<string>;
}

/** Which flows are to go, as it was asked for since the last dump of a family. */
export class FlowNotes {
  readonly #servers = new Map<string, VirtualServerId>();
  /** Who may answer, by key of the UDP virtual server; an empty set for one that is left alone. */
  readonly #endpoints = new Map<string, ReadonlySet<string>>();

  /** What all of them say together; the last word on a front end counts. */
  static together(...all: readonly FlowNotes[]): FlowNotes {
    const together = new FlowNotes();
    for (const notes of all) {
      for (const [key, server] of notes.#servers) together.#servers.set(key, server);
      for (const [key, endpoints] of notes.#endpoints) together.#endpoints.set(key, endpoints);
    }
    return together;
  }

  /** The protocols of the flows that may have to go; none if nothing is to be done. */
  get protocols(): ReadonlySet<Protocol> {
    const protocols = new Set<Protocol>();
    for (const { protocol } of this.#servers.values()) protocols.add(protocol);
    for (const { size } of this.#endpoints.values()) if (size > 0) protocols.add('UDP');
    return protocols;
  }

  /** Flows to a server that were never translated are to go. */
  noteServer(server: VirtualServerId): void {
    this.#servers.set(virtualServerKey(server), server);
  }

  /** Flows to a UDP front end that anybody else answers are to go. */
  noteEndpoints(address: IpAddress, { port, endpoints }: UdpFrontEnd): void {
    const key = virtualServerKey({ address, protocol: 'UDP', port });
    this.#endpoints.set(key, endpoints);
  }

  /** Whether a flow is to go. */
  condemns(flow: Flow): boolean {
    const { server, backend } = endsOf(flow);
    const key = virtualServerKey(server);
    if (this.#servers.has(key) && isUntranslated(flow)) return true;
    const endpoints = this.#endpoints.get(key);
    if (endpoints === undefined || endpoints.size === 0) return false;
    return !endpoints.has(realServerKey(backend));
  }
}
