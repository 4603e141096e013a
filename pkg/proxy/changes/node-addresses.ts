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

  /** The node as footprints see it. Node ports are served in the families that are. */
  context({
    nodeName,
    scheduler,
    externalIPs,
  }: Pick<NodeContext, 'nodeName' | 'scheduler' | 'externalIPs'>): NodeContext {
    const { nodeAddresses } = this.#mirror;
    const { zone = '', addresses: nodeIPs = [] } = this.#store.node ?? {};
    const isServed = (address: IpAddress) => this.#families.includes(familyOf(address));
    return {
      nodeName,
      scheduler,
      externalIPs,
      zone,
      nodeIPs,
      nodePortAddresses: nodeAddresses.filter(isServed),
      nodeAddresses: new Set(nodeAddresses),
    };
  }

  /** Has the Services that depend on the addresses entered anew if there are others. */
  markServices(): void {
    if (!this.haveChanged) return;
    this.#entered = this.#mirror.nodeAddresses;
    this.#store.markDirty(dependsOnNodeAddresses);
  }
}
