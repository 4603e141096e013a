import { type Flow, isUntranslated } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import { type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';
import { endsOf } from './flow-ends.ts';

/** Who may answer the flows of a UDP front end, and when that was said. */
interface Answering {
  readonly endpoints: ServingEndpoints;
  readonly time: number;
}

/** Tells which flows are stale, by what became known since the last dump. */
export class StaleFlowRules {
  readonly #virtualServers = new Set<string>();
  /** Who may answer, by key of the UDP virtual server. */
  readonly #endpoints = new Map<string, Answering>();

  /** What all of them say together; the last word on a front end counts. */
  static merged(...all: readonly StaleFlowRules[]): StaleFlowRules {
    const merged = new StaleFlowRules();
    for (const rules of all) merged.#add(rules);
    return merged;
  }

  /** Whether no flow is stale. */
  get isEmpty(): boolean {
    return this.#virtualServers.size + this.#endpoints.size === 0;
  }

  /** Flows to a virtual server that were never translated are stale. */
  addVirtualServer(virtualServer: VirtualServerId): void {
    this.#virtualServers.add(virtualServerKey(virtualServer));
  }

  /** Flows to a UDP front end that anybody else answers are stale: all of them, if nobody may. The time is when this is said. */
  setEndpoints(address: IpAddress, { port, endpoints }: UdpFrontEnd, time: number): void {
    this.#endpoints.set(udpKey(address, port), { endpoints, time });
  }

  /** Says nothing about a UDP front end any more. */
  forgetEndpoints(address: IpAddress, { port }: UdpFrontEnd): void {
    this.#endpoints.delete(udpKey(address, port));
  }

  /** Says of the UDP front end of a flow what others say. */
  copyEndpoints(others: StaleFlowRules, flow: Flow): void {
    const key = keyOf(flow);
    const said = others.#endpoints.get(key);
    if (said !== undefined) this.#endpoints.set(key, said);
  }

  /** When something was said about the endpoints of a flow's UDP front end; long ago if nothing was. */
  saidAt(flow: Flow): number {
    return this.#endpoints.get(keyOf(flow))?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes over what others say, which say nothing afterwards. */
  take(others: StaleFlowRules): void {
    this.#add(others);
    others.#virtualServers.clear();
    others.#endpoints.clear();
  }

  isStale(flow: Flow): boolean {
    const { virtualServer, realServer } = endsOf(flow);
    const key = virtualServerKey(virtualServer);
    if (this.#virtualServers.has(key) && isUntranslated(flow)) return true;
    return this.#endpoints.get(key)?.endpoints.has(realServer) === false;
  }

  #add(others: StaleFlowRules): void {
    for (const key of others.#virtualServers) this.#virtualServers.add(key);
    for (const [key, some] of others.#endpoints) this.#endpoints.set(key, some);
  }
}

function keyOf(flow: Flow): string {
  return virtualServerKey(endsOf(flow).virtualServer);
}

function udpKey(address: IpAddress, port: number): string {
  return virtualServerKey({ address, protocol: 'UDP', port });
}
