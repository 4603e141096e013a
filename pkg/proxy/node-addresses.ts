import type { IpAddress } from '../ip/address.ts';
import type { Mirror } from './mirror.ts';
import type { Store } from './store.ts';

/** The addresses that the node had when Services with node ports were entered last, whoever reads them. */
export class NodeAddresses {
  readonly #mirror: Mirror;
  readonly #store: Store;
  #entered: readonly IpAddress[] = [];

  constructor({ mirror, store }: { mirror: Mirror; store: Store }) {
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

  /** Has Services with node ports entered anew if it has. */
  markServices(): void {
    if (!this.haveChanged) return;
    this.#entered = this.#mirror.nodeAddresses;
    this.#store.markDirty(({ ports }) => ports.some(({ nodePort }) => nodePort !== 0));
  }
}
