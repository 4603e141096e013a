import { type Flow, isUntranslated } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import type { Protocol } from '../../ip/protocol.ts';
import { type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';
import { endsOf } from './flow-ends.ts';

/** Which flows are to go, as it was asked for since the last dump of a family. */
export class FlowNotes {
  readonly #virtualServers = new Map<string, VirtualServerId>();
  /** Who may answer, by key of the UDP virtual server; nobody for one that is left alone. */
  readonly #endpoints = new Map<string, ServingEndpoints>();

  /** What all of them say together; the last word on a front end counts. */
  static merged(...all: readonly FlowNotes[]): FlowNotes {
    const merged = new FlowNotes();
    for (const notes of all) {
      for (const [key, virtualServer] of notes.#virtualServers)
        merged.#virtualServers.set(key, virtualServer);
      for (const [key, endpoints] of notes.#endpoints) merged.#endpoints.set(key, endpoints);
    }
    return merged;
  }

  /** The protocols of the flows that may have to go; none if nothing is to be done. */
  get protocols(): ReadonlySet<Protocol> {
    const protocols = new Set<Protocol>();
    for (const { protocol } of this.#virtualServers.values()) protocols.add(protocol);
    for (const { size } of this.#endpoints.values()) if (size > 0) protocols.add('UDP');
    return protocols;
  }

  /** Flows to a server that were never translated are to go. */
  noteServer(virtualServer: VirtualServerId): void {
    this.#virtualServers.set(virtualServerKey(virtualServer), virtualServer);
  }

  /** Flows to a UDP front end that anybody else answers are to go. */
  noteEndpoints(address: IpAddress, { port, endpoints }: UdpFrontEnd): void {
    const key = virtualServerKey({ address, protocol: 'UDP', port });
    this.#endpoints.set(key, endpoints);
  }

  /** Whether a flow is to go. */
  condemns(flow: Flow): boolean {
    const { virtualServer, realServer } = endsOf(flow);
    const key = virtualServerKey(virtualServer);
    if (this.#virtualServers.has(key) && isUntranslated(flow)) return true;
    const endpoints = this.#endpoints.get(key);
    if (endpoints === undefined || endpoints.size === 0) return false;
    return !endpoints.has(realServer);
  }
}
