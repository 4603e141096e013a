import { type Flow, isUntranslated } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import { type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';
import { endsOf } from './flow-ends.ts';

/** Tells which flows are stale, by what became known since the last dump. */
export class StaleFlowRules {
  readonly #virtualServers = new Set<string>();
  /** Who may answer, by key of the UDP virtual server. */
  readonly #endpoints = new Map<string, ServingEndpoints>();

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

  /** Flows to a UDP front end that anybody else answers are stale: all of them, if nobody may. */
  setEndpoints(address: IpAddress, { port, endpoints }: UdpFrontEnd): void {
    const key = virtualServerKey({ address, protocol: 'UDP', port });
    this.#endpoints.set(key, endpoints);
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
    return this.#endpoints.get(key)?.has(realServer) === false;
  }

  #add(others: StaleFlowRules): void {
    for (const key of others.#virtualServers) this.#virtualServers.add(key);
    for (const [key, some] of others.#endpoints) this.#endpoints.set(key, some);
  }
}
