import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Endpoint } from '../../kube/types.ts';
import type { PortEndpoints } from './endpoint.ts';
import type { EndpointChange, EndpointDifference, PortRecord } from './endpoint-difference.ts';
import { ChosenRealServers, Serving } from './endpoint-views.ts';
import { anyPod } from './pod-identity.ts';
import { RealServerMap } from './real-server-map.ts';
import type { Policy, RealServers, WantedRealServer } from './real-servers.ts';
import { policiesThatDiffer, type Selections, selectionsOf } from './selections.ts';
import type { ServicePort } from './service.ts';
import {
  chooseEndpoints,
  type EndpointChoice,
  EndpointCounts,
  isAboutLocal,
  isLocal,
  isSelected,
  type NodeTopology,
} from './topology.ts';
import type { ServingEndpoints } from './udp-front-end.ts';

/** How an address and port stood before a difference. */
interface Place {
  readonly id: RealServerId;
  readonly present: Endpoint | undefined;
  readonly gone: Endpoint | undefined;
}

/**
 * The endpoints of one service port and which of them each policy chooses: kept from change to change, so that one endpoint that
 * changes costs the same however many there are.
 */
export class PortServers {
  readonly #port: ServicePort;
  readonly #node: NodeTopology;
  readonly #keepsSessionsByAddress: boolean;
  readonly #present: PortEndpoints;
  /** Those that vanished a moment ago and may come back. */
  readonly #vanished: PortEndpoints;
  readonly #counts = new EndpointCounts();
  /** The same with those that vanished; `undefined` if none did. */
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
      vanished: PortEndpoints;
      options: ServiceOptions;
    },
  ) {
    this.#port = port;
    this.#node = node;
    this.#keepsSessionsByAddress = keepsSessionsByAddress;
    this.#present = present;
    this.#vanished = vanished;
    const counting = { node, by: 1 } as const;
    present.forEachEndpoint((endpoint) => this.#counts.add(endpoint, counting));
    if (vanished.size > 0) this.#countVanished();
    this.#selections = this.#select();
  }

  /** How many endpoints the slices name, duplicates included. */
  get size(): number {
    return this.#present.size;
  }

  /** Endpoints exist, but none of them is on this node. */
  get lacksLocal(): boolean {
    const { hasAny, local } = this.#choose(this.#counts);
    return hasAny && local === 'none';
  }

  /** The endpoints on this node, those that vanished a moment ago included. */
  *local(): Generator<RealServerId> {
    if (this.#counts.local > 0)
      for (const [id, endpoint] of this.#present) if (isLocal(endpoint, this.#node)) yield id;
    for (const [id] of this.#vanished) if (!this.#isPresentHere(id) && this.#isHere(id)) yield id;
  }

  /** The endpoints that serve, whatever the policies: a view that is asked for anew when others serve than before. */
  get serving(): ServingEndpoints {
    const present = this.#present;
    const vanished = this.#vanished;
    const counts = this.#counts;
    return new Serving({ source: this, present, vanished, counts });
  }

  /** The real servers of a policy, as they are whenever it is asked. */
  chosenBy(policy: Policy): RealServers {
    return new ChosenRealServers(this, policy);
  }

  /** What a policy wants at an address and port. */
  wanted(id: RealServerId, policy: Policy): WantedRealServer | undefined {
    const present = this.#present.get(id);
    const endpoint = present ?? (this.#vanished.size > 0 ? this.#vanished.get(id) : undefined);
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

  /** What a policy wants, all of it. */
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
    if (this.#vanished.size > 0)
      this.#vanished.forEach((endpoint, id) => {
        if (this.#present.get(id) === undefined) add(endpoint, { id, isPresent: false });
      });
    return all;
  }

  /** Whether a policy that asks for local endpoints first has to do with others. */
  isFallback(policy: Policy): boolean {
    const { now, before } = this.#selections.localFirst;
    return policy === 'localFirst' && !(isAboutLocal(now) && isAboutLocal(before));
  }

  get capacity(): number {
    return this.#present.size + this.#vanished.size;
  }

  /** Takes a difference in. */
  apply({ added, removed, vanished, unvanished }: EndpointDifference): EndpointChange {
    const places = new RealServerMap<Place>();
    const visit = (records: readonly PortRecord[], put: (port: number, one: Endpoint) => void) => {
      for (const { port, endpoint } of records) {
        const id = { address: endpoint.address, port };
        if (!places.has(id)) places.set(id, this.#placeOf(id));
        put(port, endpoint);
      }
    };
    visit(vanished, (port, one) => this.#vanished.add(port, one));
    visit(added, (port, one) => this.#present.add(port, one));
    visit(removed, (port, one) => this.#present.remove(port, one));
    visit(unvanished, (port, one) => this.#vanished.remove(port, one));
    return this.#compare(places);
  }

  #compare(places: RealServerMap<Place>): EndpointChange {
    const hadVanished = this.#countsBefore !== undefined;
    const ids: RealServerId[] = [];
    const [becameLocal, ceasedLocal]: [RealServerId[], RealServerId[]] = [[], []];
    let changesServing = false;
    let changesVanished = false;
    for (const before of places.values()) {
      const after = this.#placeOf(before.id);
      if (before.present !== after.present || before.gone !== after.gone) ids.push(before.id);
      this.#recount(before, after);
      if (before.present?.serving !== after.present?.serving) changesServing = true;
      if (before.gone?.serving !== after.gone?.serving) changesVanished = true;
      const wasHere = this.#placeIsHere(before);
      const isHere = this.#placeIsHere(after);
      if (isHere && !wasHere) becameLocal.push(before.id);
      if (wasHere && !isHere) ceasedLocal.push(before.id);
    }
    if (this.#vanished.size === 0) this.#countsBefore = undefined;
    else if (!hadVanished) this.#countVanished();
    // Without one that is present, those that vanished serve.
    if (changesVanished && this.#counts.serving === 0) changesServing = true;
    const last = this.#selections;
    this.#selections = this.#select();
    const policies = policiesThatDiffer(last, this.#selections);
    return { ids, policies, becameLocal, ceasedLocal, changesServing };
  }

  #recount(before: Place, after: Place): void {
    recount(this.#counts, { from: before.present, to: after.present, node: this.#node });
    if (this.#countsBefore === undefined) return;
    const from = before.present ?? before.gone;
    const to = after.present ?? after.gone;
    recount(this.#countsBefore, { from, to, node: this.#node });
  }

  #countVanished(): void {
    const counts = this.#counts.copy();
    for (const [id, endpoint] of this.#vanished)
      if (this.#present.get(id) === undefined) counts.add(endpoint, { node: this.#node, by: 1 });
    this.#countsBefore = counts;
  }

  #placeOf(id: RealServerId): Place {
    const gone = this.#vanished.size > 0 ? this.#vanished.get(id) : undefined;
    return { id, present: this.#present.get(id), gone };
  }

  #placeIsHere({ present, gone }: Place): boolean {
    const isHere = (one: Endpoint | undefined) => one !== undefined && isLocal(one, this.#node);
    return isHere(present) || isHere(gone);
  }

  #isPresentHere(id: RealServerId): boolean {
    const present = this.#present.get(id);
    return present !== undefined && isLocal(present, this.#node);
  }

  #isHere(id: RealServerId): boolean {
    return this.#placeIsHere(this.#placeOf(id));
  }

  /** Those chosen now at weight 1; those that only vanished a moment ago at 0, or at 1 if there is nobody else. */
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

  #select(): Selections {
    const now = this.#choose(this.#counts);
    const counts = this.#countsBefore;
    return selectionsOf({ now, before: counts === undefined ? now : this.#choose(counts) });
  }
}

function recount(
  counts: EndpointCounts,
  { from, to, node }: { from: Endpoint | undefined; to: Endpoint | undefined; node: NodeTopology },
): void {
  if (from === to) return;
  if (from !== undefined) counts.add(from, { node, by: -1 });
  if (to !== undefined) counts.add(to, { node, by: 1 });
}
