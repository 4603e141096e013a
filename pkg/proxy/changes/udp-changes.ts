import { type RealServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { BeforeAfter, Footprint } from '../desired/footprint.ts';
import type { ServingEndpoints, UdpFrontEnd } from '../desired/udp-front-end.ts';

type FrontEnds = readonly UdpFrontEnd[];

/** Finds the UDP front ends whose endpoints changed. Their stale flows are deleted once the kernel is up to date. */
export class UdpChanges {
  /** The endpoints of each front end, of every Service that wants it. */
  readonly #endpoints = new Map<string, Set<ServingEndpoints>>();
  /** What changed, by front end. */
  readonly #changed = new Map<string, UdpFrontEnd>();

  /** Records the UDP front ends of a Service's port before and after a change. */
  note({ before, after }: BeforeAfter<FrontEnds>): void {
    if (before === after || before.length + after.length === 0) return;
    const last = byKey(before);
    const now = byKey(after);
    for (const [key, { endpoints }] of last) this.#remove(key, endpoints);
    for (const [key, { endpoints }] of now) this.#add(key, endpoints);
    for (const [key, frontEnd] of last) if (!now.has(key)) this.#change(key, frontEnd);
    for (const [key, frontEnd] of now) {
      const present = last.get(key);
      if (present === undefined || !haveSame(present.endpoints, frontEnd.endpoints))
        this.#change(key, frontEnd);
    }
  }

  /** Records the footprint of a Service's port before and after a change. */
  noteFootprints({ before, after }: BeforeAfter<Footprint | undefined>): void {
    this.note({ before: before?.udpFrontEnds ?? none, after: after?.udpFrontEnds ?? none });
  }

  /** Returns the front ends that changed since the last call. One that no Service wants any more has no endpoints. */
  take(): FrontEnds {
    if (this.#changed.size === 0) return none;
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    return changed;
  }

  /** Records a change of a front end, with the endpoints of all Services that want it. */
  #change(key: string, frontEnd: UdpFrontEnd): void {
    const [first = noEndpoints, ...others] = this.#endpoints.get(key) ?? [];
    const endpoints = others.length === 0 ? first : union([first, ...others]);
    this.#changed.set(key, { ...frontEnd, endpoints });
  }

  #add(key: string, endpoints: ServingEndpoints): void {
    this.#endpoints.set(key, (this.#endpoints.get(key) ?? new Set()).add(endpoints));
  }

  #remove(key: string, endpoints: ServingEndpoints): void {
    const all = this.#endpoints.get(key);
    if (all?.delete(endpoints) === true && all.size === 0) this.#endpoints.delete(key);
  }
}

const none: readonly never[] = Object.freeze([]);
const noEndpoints: ServingEndpoints = union([]);

/** The front ends split by address, by the key of their virtual server. */
function byKey(frontEnds: FrontEnds): ReadonlyMap<string, UdpFrontEnd> {
  const found = new Map<string, UdpFrontEnd>();
  for (const frontEnd of frontEnds) {
    for (const address of frontEnd.addresses) {
      const key = virtualServerKey({ address, protocol: 'UDP', port: frontEnd.port });
      found.set(key, { ...frontEnd, addresses: [address] });
    }
  }
  return found;
}

/** The union of some endpoints. Its size counts one twice that is in two of them. */
function union(all: readonly ServingEndpoints[]): ServingEndpoints {
  return {
    get size() {
      return all.reduce((sum, { size }) => sum + size, 0);
    },
    has: (id: RealServerId) => all.some((some) => some.has(id)),
    *[Symbol.iterator]() {
      for (const some of all) yield* some;
    },
  };
}

function haveSame(some: ServingEndpoints, others: ServingEndpoints): boolean {
  if (some === others) return true;
  if (some.source !== undefined && some.source === others.source) return false;
  if (some.size !== others.size) return false;
  for (const id of some) if (!others.has(id)) return false;
  return true;
}
