import { type Flow, isUntranslated } from '../../conntrack/conntrack.ts';
import type { IpAddress } from '../../ip/address.ts';
import { type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';
import { endsOf } from './flow-ends.ts';

/** The endpoints that may answer the flows of a UDP front end, and when that was set. */
interface Answering {
  readonly endpoints: ServingEndpoints;
  readonly time: number;
}

/** Decides which flows are stale by the changes since the last dump. */
export class StaleFlowRules {
  readonly #virtualServers = new Set<string>();
  /** Who may answer, by key of the UDP virtual server. */
  readonly #endpoints = new Map<string, Answering>();

  /** Combines sets of rules. Where several have a rule for a front end, the last one counts. */
  static merged(...all: readonly StaleFlowRules[]): StaleFlowRules {
    const merged = new StaleFlowRules();
    for (const rules of all) merged.#add(rules);
    return merged;
  }

  /** Whether no flow is stale. */
  get isEmpty(): boolean {
    return this.#virtualServers.size + this.#endpoints.size === 0;
  }

  /** Adds the rule that flows to a virtual server are stale if they were never translated. */
  addVirtualServer(virtualServer: VirtualServerId): void {
    this.#virtualServers.add(virtualServerKey(virtualServer));
  }

  /** Adds the rule that flows to a UDP front end are stale if none of these endpoints answers them. `time` is that of the change. */
  setEndpoints(address: IpAddress, { port, endpoints }: UdpFrontEnd, time: number): void {
    this.#endpoints.set(udpKey(address, port), { endpoints, time });
  }

  /** Removes the rule for a UDP front end. */
  forgetEndpoints(address: IpAddress, { port }: UdpFrontEnd): void {
    this.#endpoints.delete(udpKey(address, port));
  }

  /** Copies the rule for the UDP front end of a flow from other rules. */
  copyEndpoints(others: StaleFlowRules, flow: Flow): void {
    const key = keyOf(flow);
    const rule = others.#endpoints.get(key);
    if (rule !== undefined) this.#endpoints.set(key, rule);
  }

  /** When the rule for a flow's UDP front end was set, in milliseconds; -Infinity if there is none. */
  changedAt(flow: Flow): number {
    return this.#endpoints.get(keyOf(flow))?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** Moves all rules of another object into this one. */
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
