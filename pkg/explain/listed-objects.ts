import type { EndpointSlice, Node, Service } from '../kube/types.ts';
import { type DesiredLedger, type LedgerOptions, ledgerOf } from './ledger.ts';
import type { NodeObjects } from './names.ts';

/** The objects of a cluster as they were listed. */
export class ListedObjects implements NodeObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly node: Node | undefined;
  readonly #services: ReadonlyMap<string, Service>;
  readonly #slices: ReadonlyMap<string, readonly EndpointSlice[]>;

  constructor({
    services,
    slices,
    node,
  }: {
    readonly services: readonly Service[];
    readonly slices: readonly EndpointSlice[];
    readonly node: Node | undefined;
  }) {
    this.services = services;
    this.slices = slices;
    this.node = node;
    this.#services = new Map(services.map((service) => [service.key, service]));
    this.#slices = Map.groupBy(slices, ({ serviceKey }) => serviceKey);
  }

  service(key: string): Service | undefined {
    return this.#services.get(key);
  }

  slicesOf(key: string): readonly EndpointSlice[] {
    return this.#slices.get(key) ?? [];
  }

  /** What a proxier on a node wants for these objects. */
  ledger(node: LedgerOptions): Promise<DesiredLedger> {
    const { services } = this;
    return ledgerOf({ services, slicesOf: (key) => this.slicesOf(key), node: this.node }, node);
  }
}
