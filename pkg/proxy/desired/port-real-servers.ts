import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Endpoint } from '../../kube/types.ts';
import { PortEndpoints } from './endpoint.ts';
import type { EndpointChange, EndpointDifference, PortRecord } from './endpoint-difference.ts';
import { ChosenRealServers, Serving } from './endpoint-views.ts';
import { anyPod } from './pod-identity.ts';
import { RealServerMap } from './real-server-map.ts';
import type { AlikeRealServers, Policy, RealServers, WantedRealServer } from './real-servers.ts';
import { policiesThatDiffer, type Selections, selectionsOf } from './selections.ts';
import type { ServicePort } from './service.ts';
import {
  asksForLocal,
  chooseEndpoints,
  type EndpointChoice,
  EndpointCounts,
  isAboutLocal,
  isLocal,
  isSelected,
  type NodeTopology,
} from './topology.ts';
import type { ServingEndpoints } from './udp-front-end.ts';

/** Up to so many endpoints are counted by sort at each call. */
const few = 16;

const none: readonly never[] = Object.freeze([]);

/** The state of an address and port before a difference. */
interface Place {
  readonly id: RealServerId;
  readonly present: Endpoint | undefined;
  readonly gone: Endpoint | undefined;
}

/**
 * The endpoints of one service port, and those that each policy selects. Kept from change to change, so that a change of one
 * endpoint costs the same with any number of them.
 */
export class PortRealServers {
  readonly #port: ServicePort;
  readonly #node: NodeTopology;
  readonly #keepsSessionsByAddress: boolean;
  readonly #present: PortEndpoints;
  /** The endpoints that vanished a moment ago and may come back; `undefined` for none. */
  #vanished: PortEndpoints | undefined;
  /** Kept if there are many endpoints. Few ones are counted at each call. */
  #manyCounts: EndpointCounts | undefined;
  /** Whether any present endpoint is on this node. */
  #hasLocal: boolean;
  /** Whether all present endpoints are ready. */
  #areAllReady: boolean;
  /** The same with the vanished ones; `undefined` for none. */
  #countsBefore: EndpointCounts | undefined;
  #selections: Selections;

  constructor(
    port: ServicePort,
    {
      node,
      present,
      vanished,
      options: { keepsSessionsByAddress = false },
    }: {
      node: NodeTopology;
      present: PortEndpoints;
      vanished: PortEndpoints | undefined;
      options: ServiceOptions;
    },
  ) {
    this.#port = port;
    this.#node = node;
    this.#keepsSessionsByAddress = keepsSessionsByAddress;
    this.#present = present;
    this.#vanished = vanished;
    const counts = this.#count();
    this.#hasLocal = counts.local > 0;
    this.#areAllReady = counts.ready === present.size;
    if (present.size > few) this.#manyCounts = counts;
    if (vanished !== undefined) this.#countVanished(counts);
    this.#selections = this.#select(counts);
  }

  /** How many endpoints the slices name, duplicates included. */
  get size(): number {
    return this.#present.size;
  }

  /** Whether there are endpoints, and none on this node. */
  get lacksLocal(): boolean {
    if (!asksForLocal(this.#port)) return false;
    const { hasAny, local } = this.#choose(this.#counts);
    return hasAny && local === 'none';
  }

  /** The endpoints on this node, including those that vanished a moment ago. */
  get local(): readonly RealServerId[] {
    if (!this.#hasLocal && this.#vanished === undefined) return none;
    const local: RealServerId[] = [];
    if (this.#hasLocal)
      this.#present.forEach((endpoint, id) => {
        if (isLocal(endpoint, this.#node)) local.push(id);
      });
    this.#vanished?.forEach((gone, id) => {
      if (isLocal(gone, this.#node) && !this.#isPresentHere(id)) local.push(id);
    });
    return local;
  }

  /** A view of the serving endpoints, whatever the policy. It is replaced when the set of serving endpoints changes. */
  get serving(): ServingEndpoints {
    return new Serving(this);
  }

  /** Endpoints that include all serving ones: the present ones, or the vanished ones if no present one serves. */
  get servingFrom(): PortEndpoints | undefined {
    return this.#counts.serving > 0 ? this.#present : this.#vanished;
  }

  /** How many serve. */
  get servingCount(): number {
    const { serving } = this.#counts;
    return serving > 0 ? serving : (this.#vanished?.servingCount ?? 0);
  }

  /** A live view of the real servers of a policy. */
  chosenBy(policy: Policy): RealServers {
    return new ChosenRealServers(this, policy);
  }

  /** What a policy wants at an address and port. */
  wanted(id: RealServerId, policy: Policy): WantedRealServer | undefined {
    const present = this.#present.get(id);
    const endpoint = present ?? this.#vanished?.get(id);
    if (endpoint === undefined) return undefined;
    const weight = this.#weightOf(endpoint, { isPresent: present !== undefined, policy });
    return weight === undefined ? undefined : this.#wantedAt(id, { endpoint, weight });
  }

  #wantedAt(
    { address, port }: RealServerId,
    { endpoint, weight }: { endpoint: Endpoint; weight: 0 | 1 },
  ): WantedRealServer {
    const podUid = this.#keepsSessionsByAddress ? anyPod : endpoint.podUid;
    return { address, port, weight, podUid };
  }

  /** All real servers that a policy wants. */
  allWanted(policy: Policy): readonly WantedRealServer[] {
    const all: WantedRealServer[] = [];
    const add = (
      endpoint: Endpoint,
      { id, isPresent }: { id: RealServerId; isPresent: boolean },
    ) => {
      const weight = this.#weightOf(endpoint, { isPresent, policy });
      if (weight !== undefined) all.push(this.#wantedAt(id, { endpoint, weight }));
    };
    this.#present.forEach((endpoint, id) => add(endpoint, { id, isPresent: true }));
    this.#vanished?.forEach((endpoint, id) => {
      if (this.#present.get(id) === undefined) add(endpoint, { id, isPresent: false });
    });
    return all;
  }

  /** All real servers that a policy wants, if they are alike; `undefined` if they may differ. */
  alike(policy: Policy): AlikeRealServers | undefined {
    if (this.#vanished !== undefined || this.#keepsSessionsByAddress) return undefined;
    const all = this.#present.ofOnePort;
    const { now } = this.#selections[policy];
    if (all === undefined || (now === 'ready' && this.#areAllReady)) return all;
    const isWanted = (endpoint: Endpoint) => isSelected(now, endpoint, this.#node);
    return { port: all.port, realServers: all.realServers.filter(isWanted) };
  }

  /** Whether a policy that prefers local endpoints uses others. */
  isFallback(policy: Policy): boolean {
    const { now, before } = this.#selections.localFirst;
    return policy === 'localFirst' && !(isAboutLocal(now) && isAboutLocal(before));
  }

  get capacity(): number {
    return this.#present.size + (this.#vanished?.size ?? 0);
  }

  /** Applies a difference. */
  apply({ added, removed, vanished, unvanished }: EndpointDifference): EndpointChange {
    const places = new RealServerMap<Place>();
    const visit = (records: readonly PortRecord[], put: (port: number, one: Endpoint) => void) => {
      for (const { port, endpoint } of records) {
        const id = { address: endpoint.address, port };
        if (!places.has(id)) places.set(id, this.#placeOf(id));
        put(port, endpoint);
      }
    };
    visit(vanished, (port, one) => {
      this.#vanished ??= new PortEndpoints(this.#node);
      this.#vanished.add(port, one);
    });
    visit(added, (port, one) => this.#present.add(port, one));
    visit(removed, (port, one) => this.#present.remove(port, one));
    visit(unvanished, (port, one) => this.#vanished?.remove(port, one));
    if (this.#vanished?.size === 0) this.#vanished = undefined;
    return this.#compare(places);
  }

  #compare(places: RealServerMap<Place>): EndpointChange {
    const hadVanished = this.#countsBefore !== undefined;
    const ids: RealServerId[] = [];
    const becameLocal: RealServerId[] = [];
    const ceasedLocal: RealServerId[] = [];
    let changesServing = false;
    let changesVanished = false;
    places.forEachItem((before) => {
      const after = this.#placeOf(before.id);
      if (before.present !== after.present || before.gone !== after.gone) ids.push(before.id);
      this.#recount(before, after);
      if (before.present?.serving !== after.present?.serving) changesServing = true;
      if (before.gone?.serving !== after.gone?.serving) changesVanished = true;
      const wasHere = this.#placeIsHere(before);
      const isHere = this.#placeIsHere(after);
      if (isHere && !wasHere) becameLocal.push(before.id);
      if (wasHere && !isHere) ceasedLocal.push(before.id);
    });
    const counts = this.#counts;
    this.#hasLocal = counts.local > 0;
    this.#areAllReady = counts.ready === this.#present.size;
    this.#manyCounts = this.#present.size > few ? counts : undefined;
    if (this.#vanished === undefined) this.#countsBefore = undefined;
    else if (!hadVanished) this.#countVanished(counts);
    // If no present endpoint serves, the vanished ones do.
    if (changesVanished && counts.serving === 0) changesServing = true;
    const last = this.#selections;
    this.#selections = this.#select(counts);
    const policies = policiesThatDiffer(last, this.#selections);
    return { ids, policies, becameLocal, ceasedLocal, changesServing };
  }

  #recount(before: Place, after: Place): void {
    this.#manyCounts?.replace({ from: before.present, to: after.present }, this.#node);
    const from = before.present ?? before.gone;
    const to = after.present ?? after.gone;
    this.#countsBefore?.replace({ from, to }, this.#node);
  }

  /** The number of present endpoints of each sort. */
  get #counts(): EndpointCounts {
    return this.#manyCounts ?? this.#count();
  }

  #count(): EndpointCounts {
    const counts = new EndpointCounts();
    const counting = { node: this.#node, by: 1 } as const;
    this.#present.forEachEndpoint((endpoint) => counts.add(endpoint, counting));
    return counts;
  }

  #countVanished(present: EndpointCounts): void {
    const counts = present.copy();
    this.#vanished?.forEach((endpoint, id) => {
      if (this.#present.get(id) === undefined) counts.add(endpoint, { node: this.#node, by: 1 });
    });
    this.#countsBefore = counts;
  }

  #placeOf(id: RealServerId): Place {
    return { id, present: this.#present.get(id), gone: this.#vanished?.get(id) };
  }

  #placeIsHere({ present, gone }: Place): boolean {
    if (present !== undefined && isLocal(present, this.#node)) return true;
    return gone !== undefined && isLocal(gone, this.#node);
  }

  #isPresentHere(id: RealServerId): boolean {
    const present = this.#present.get(id);
    return present !== undefined && isLocal(present, this.#node);
  }

  /** The selected ones at weight 1. Those that only vanished a moment ago at 0, or at 1 if there are no others. */
  #weightOf(
    endpoint: Endpoint,
    { isPresent, policy }: { isPresent: boolean; policy: Policy },
  ): 0 | 1 | undefined {
    const { now, before } = this.#selections[policy];
    if (isPresent && isSelected(now, endpoint, this.#node)) return 1;
    if (this.#countsBefore === undefined || !isSelected(before, endpoint, this.#node))
      return undefined;
    return now === 'none' ? 1 : 0;
  }

  #choose(counts: EndpointCounts): EndpointChoice {
    return chooseEndpoints(counts, { port: this.#port, node: this.#node });
  }

  #select(counts: EndpointCounts): Selections {
    const now = this.#choose(counts);
    const before = this.#countsBefore;
    return selectionsOf({ now, before: before === undefined ? now : this.#choose(before) });
  }
}
