import { type Family, familyOf, type IpAddress } from '../../ip/address.ts';
import type { NodeContext } from '../desired/footprint.ts';
import { dependsOnNodeAddresses } from '../desired/service.ts';
import type { MirrorView } from '../observed/mirror.ts';
import type { Store } from './store.ts';

/** The addresses that the node had when the Services that depend on them were entered last, whoever reads them. */
export class NodeAddresses {
  readonly #mirror: MirrorView;
  readonly #store: Store;
  readonly #families: readonly Family[];
  #entered: readonly IpAddress[] = [];

  constructor({
    mirror,
    store,
    families,
  }: {
    mirror: MirrorView;
    store: Store;
    families: readonly Family[];
  }) {
    this.#families = families;
    this.#mirror = mirror;
    this.#store = store;
  }

  /** Whether the node is known to have others by now. */
  get haveChanged(): boolean {
    const now = this.#mirror.nodeAddresses;
    const isSame =
      now.length === this.#entered.length && now.every((one) => this.#entered.includes(one));
    return !isSame;
  }

  /** What footprints depend on of them; node ports are served in some families. */
  get served(): Pick<NodeContext, 'nodePortAddresses' | 'nodeAddresses'> {
    const { nodeAddresses } = this.#mirror;
    const isServed = (address: IpAddress) => this.#families.includes(familyOf(address));
    return {
      nodePortAddresses: nodeAddresses.filter(isServed),
      nodeAddresses: new Set(nodeAddresses),
    };
  }

  /** Has the Services that depend on them entered anew if it has. */
  markServices(): void {
    if (!this.haveChanged) return;
    this.#entered = this.#mirror.nodeAddresses;
    this.#store.markDirty(dependsOnNodeAddresses);
  }
}
