import { familyOf } from '../../ip/address.ts';
import { ipPortEntry } from '../../ipset/ipset.ts';
import { type VirtualServerId, virtualServerKey } from '../../ipvs/ipvs.ts';
import type { Claims } from './claims.ts';
import type { CountedObjects } from './counted-objects.ts';
import type { SetEntry } from './footprint.ts';
import type { Keys } from './keys.ts';
import { nobody } from './owners.ts';

/** The entry that denies clients from outside a virtual server while its real servers are on other nodes. */
export function noLocalEntry({ address: ip, protocol, port }: VirtualServerId): SetEntry {
  const entry = ipPortEntry({ ip, protocol, port });
  return { set: 'noLocal', family: familyOf(ip), entry };
}

/**
 * The entries of `KUBE-IPVS-NO-LOCAL`: one for each virtual server with `externalTrafficPolicy: Local` whose real servers are on other
 * nodes, as this node has no endpoint. Only the Service that holds the virtual server decides.
 */
export class NoLocalEntries {
  /** The owners of entries, by virtual server key. */
  readonly #owners = new Map<string, string>();
  readonly #claims: Claims;
  readonly #counted: CountedObjects;

  constructor(claims: Claims, counted: CountedObjects) {
    this.#claims = claims;
    this.#counted = counted;
  }

  /** Updates the entry after the owner or the real servers of a virtual server changed. Adds its key to `touched`. */
  update(virtualServer: VirtualServerId, touched: Keys): void {
    const key = virtualServerKey(virtualServer);
    const holder = this.#claims.holder(key);
    const before = this.#owners.get(key) ?? nobody;
    const after = holder?.realServers.isFallback === true ? holder.owner.key : nobody;
    if (before === after) return;
    const entry = noLocalEntry(virtualServer);
    if (after !== nobody) this.#counted.countEntry(entry, { by: 1, owner: after, touched });
    if (before !== nobody) this.#counted.countEntry(entry, { by: -1, owner: before, touched });
    if (after === nobody) this.#owners.delete(key);
    else this.#owners.set(key, after);
  }
}
