import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Endpoint } from './endpoint.ts';
import type { ServicePort } from './service.ts';
import { chooseEndpoints, type EndpointChoice, type NodeTopology } from './topology.ts';

/** What a Service asks for by annotations. */
export interface ServiceSettings {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` if it does not say. */
  readonly drainTimeout?: number | undefined;
  /** Whoever has an address is the same pod, whatever its uid: sessions go on when a virtual machine moves with its address. */
  readonly keepsSessionsByAddress?: boolean | undefined;
}

/** Of a Service that asks for nothing. */
export const noSettings: ServiceSettings = {};

/** A real server that should be there. One with weight 0 is kept if it is there, and not made. */
export interface WantedRealServer extends RealServerId {
  readonly weight: 0 | 1;
  /** '' if unknown. */
  readonly podUid: string;
}

type RealServers = ReadonlyMap<string, WantedRealServer>;

/** The real servers of one service port, made once for each policy and shared by its front ends. */
export class EndpointChoices {
  readonly #now: EndpointChoice;
  readonly #before: EndpointChoice;
  readonly #settings: ServiceSettings;
  readonly #made = new Map<string, RealServers>();

  constructor(
    port: ServicePort,
    {
      node,
      endpoints,
      vanished,
      settings,
    }: {
      node: NodeTopology;
      endpoints: readonly Endpoint[];
      vanished: readonly Endpoint[];
      settings: ServiceSettings;
    },
  ) {
    this.#settings = settings;
    this.#now = chooseEndpoints(endpoints, { port, node });
    const isBack = new Set(vanished.length === 0 ? [] : endpoints.map(({ key }) => key));
    const gone = vanished.filter(({ key }) => !isBack.has(key));
    this.#before =
      gone.length === 0 ? this.#now : chooseEndpoints([...endpoints, ...gone], { port, node });
  }

  /** Endpoints exist, but none of them is on this node. */
  get lacksLocal(): boolean {
    return this.#now.hasAny && this.#now.local?.length === 0;
  }

  cluster(): RealServers {
    return this.#once('cluster', ({ cluster }) => cluster ?? []);
  }

  localOnly(): RealServers {
    return this.#once('localOnly', ({ local }) => local ?? []);
  }

  /** The local ones; without any, all of them, so that pods of this node still get an answer. */
  localFirst(): RealServers {
    return this.#once('localFirst', ({ cluster, local }) =>
      local?.length ? local : (cluster ?? []),
    );
  }

  #once(name: string, choose: (choice: EndpointChoice) => readonly Endpoint[]): RealServers {
    const made =
      this.#made.get(name) ?? weigh(choose(this.#now), choose(this.#before), this.#settings);
    this.#made.set(name, made);
    return made;
  }
}

/** Those chosen now at weight 1; those that only vanished a moment ago at 0, or at 1 if there is nobody else. */
function weigh(
  now: readonly Endpoint[],
  before: readonly Endpoint[],
  { keepsSessionsByAddress = false }: ServiceSettings,
): RealServers {
  const wanted = new Map<string, WantedRealServer>();
  const want = ({ key, address, port, podUid }: Endpoint, weight: 0 | 1) => {
    if (wanted.has(key)) return;
    wanted.set(key, { address, port, weight, podUid: keepsSessionsByAddress ? '' : podUid });
  };
  for (const endpoint of now) want(endpoint, 1);
  if (now !== before) for (const endpoint of before) want(endpoint, now.length > 0 ? 0 : 1);
  return wanted;
}
