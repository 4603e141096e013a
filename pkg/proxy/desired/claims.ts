import type { AddressKind, OwnedFrontEnd } from './footprint.ts';
import { LostClaims } from './lost-claims.ts';
import type { Owner } from './service.ts';

/** Two Services want one virtual server, given by its key. */
export interface Conflict {
  readonly virtualServer: string;
  readonly winner: string;
  readonly loser: string;
}

/**
 * The claims on each virtual server, by its key, each by a front end of a Service, and which of them wins (`docs/conflicts.md`). The result depends on the objects
 * alone and not on their order of arrival, so it is the same on all nodes and after a restart.
 */
export class Claims {
  /** In order of priority; the first one holds the virtual server. A single claim, the usual case, is stored without a list. */
  readonly #byVirtualServer = new Map<string, OwnedFrontEnd | OwnedFrontEnd[]>();
  readonly #lost = new LostClaims();
  #count = 0;
  #begun: { readonly virtualServer: string; readonly loser: Owner }[] = [];

  has(virtualServer: string): boolean {
    return this.#byVirtualServer.has(virtualServer);
  }

  holder(virtualServer: string): OwnedFrontEnd | undefined {
    const claims = this.#byVirtualServer.get(virtualServer);
    return Array.isArray(claims) ? claims[0] : claims;
  }

  virtualServers(): Iterable<string> {
    return this.#byVirtualServer.keys();
  }

  /** The number of claims that lost against another one. */
  get conflictCount(): number {
    return this.#count - this.#byVirtualServer.size;
  }

  /** The conflicts that began since the last call and go on. A claim that lost stays lost when the winner changes. */
  takeConflicts(): readonly Conflict[] {
    const begun = this.#begun;
    if (begun.length === 0) return none;
    this.#begun = [];
    return begun.flatMap(({ virtualServer, loser }) => {
      const claims = listOf(this.#byVirtualServer.get(virtualServer));
      const winner = claims[0]?.owner.key ?? loser.key;
      const goesOn = winner !== loser.key && placeOfOwner(claims, loser) !== undefined;
      return goesOn ? [{ virtualServer, winner, loser: loser.key }] : [];
    });
  }

  /** The numbers of lost claims of the Services for which they changed since the last call. */
  takeLost(): ReturnType<LostClaims['take']> {
    return this.#lost.take();
  }

  /** Enters a claim in the place of the one that the same Service may have. */
  enter(virtualServer: string, claim: OwnedFrontEnd): void {
    const { owner } = claim;
    const present = this.#byVirtualServer.get(virtualServer);
    if (present === undefined) this.#count++;
    if (present === undefined || (!Array.isArray(present) && present.owner.key === owner.key)) {
      this.#byVirtualServer.set(virtualServer, claim);
      return;
    }
    const claims = listOf(present);
    this.#byVirtualServer.set(virtualServer, claims);
    const before = claims[0]?.owner;
    const last = placeOfOwner(claims, owner);
    if (last !== undefined) claims.splice(last, 1);
    else this.#count++;
    const place = placeOf(claims, claim);
    claims.splice(place, 0, claim);
    const wasLost = last !== undefined && before?.key !== owner.key;
    const loser = place > 0 ? owner : before;
    if (loser !== undefined && !(place > 0 && wasLost)) this.#begun.push({ virtualServer, loser });
    if (wasLost) this.#lost.delete(owner.key);
    if (place > 0) this.#lost.add(owner.key);
    this.#noteWinner({ before: before?.key, after: claims[0]?.owner.key, except: owner.key });
  }

  /** Records that the Service which held a virtual server has lost it, and that the new holder has won; not for the one whose claim changed. */
  #noteWinner({
    before,
    after,
    except,
  }: Record<'before' | 'after', string | undefined> & { except: string }): void {
    if (before === after) return;
    if (before !== undefined && before !== except) this.#lost.add(before);
    if (after !== undefined && after !== except) this.#lost.delete(after);
  }

  /** Removes a claim, if it is still there. Whether nobody wants the virtual server any more. */
  withdraw(virtualServer: string, claim: OwnedFrontEnd): boolean {
    const present = this.#byVirtualServer.get(virtualServer);
    if (present === undefined) return true;
    const claims = listOf(present);
    const place = placeOf(claims, claim);
    if (claims[place] !== claim) return false;
    claims.splice(place, 1);
    this.#count--;
    const [first, second] = claims;
    const nowFirst = place === 0 ? first?.owner.key : claim.owner.key;
    if (nowFirst !== undefined) this.#lost.delete(nowFirst);
    if (first === undefined) this.#byVirtualServer.delete(virtualServer);
    else if (second === undefined) this.#byVirtualServer.set(virtualServer, first);
    return first === undefined;
  }
}

const none: readonly never[] = Object.freeze([]);

function listOf(claims: OwnedFrontEnd | OwnedFrontEnd[] | undefined): OwnedFrontEnd[] {
  if (Array.isArray(claims)) return claims;
  return claims === undefined ? [] : [claims];
}

/** Ranks of claims: addresses and ports that the API allocated win over those that users write into an object. */
const ranks: Readonly<Record<AddressKind, number>> = { allocated: 0, loadBalancer: 1, external: 2 };
const addressKinds = Object.keys(ranks) as readonly AddressKind[];

type Priority = Pick<OwnedFrontEnd, 'owner' | 'addressKind'>;

/** Compares two claims: negative if the first one wins; 0 only for claims of one Service. */
function byPriority(one: Priority, other: Priority): number {
  return (
    ranks[one.addressKind] - ranks[other.addressKind] ||
    youngestIfUnknown(one.owner) - youngestIfUnknown(other.owner) ||
    compareText(one.owner.key, other.owner.key)
  );
}

function youngestIfUnknown({ created }: Owner): number {
  return created > 0 ? created : Number.MAX_SAFE_INTEGER;
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** The index at which a claim is, or would be inserted, found by bisection. */
function placeOf(claims: readonly Priority[], claim: Priority): number {
  let low = 0;
  let high = claims.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = claims[middle];
    if (there !== undefined && byPriority(there, claim) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function placeOfOwner(claims: readonly OwnedFrontEnd[], owner: Owner): number | undefined {
  for (const addressKind of addressKinds) {
    const place = placeOf(claims, { owner, addressKind });
    if (claims[place]?.owner.key === owner.key) return place;
  }
  return undefined;
}
