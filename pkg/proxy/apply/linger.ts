import { seconds } from '../../runner/clock.ts';
import type { FrontEnd } from '../desired/footprint.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { MirrorView } from '../observed/mirror.ts';

/**
 * How long a virtual server stays after its last real server was deleted, in milliseconds. While it stays, packets of its clients
 * are answered with a reset, afterwards not at all.
 */
const clientReset = seconds(5);

/** Deletes retired front ends when they are due: see `design.md` section 2, “The order: make before break”. */
export class FrontEndLinger {
  readonly #ledger: Ledger;
  readonly #mirror: MirrorView;
  readonly #emptySince = new Map<string, number>();

  constructor({ ledger, mirror }: { ledger: Ledger; mirror: MirrorView }) {
    this.#ledger = ledger;
    this.#mirror = mirror;
  }

  /** Releases front ends that are due at a time in milliseconds. Returns the keys to plan, and when the next one is due, if any waits. */
  release(now: number): { readonly keys: Keys; readonly next: number | undefined } {
    const keys = new Keys();
    if (this.#emptySince.size + this.#ledger.retired().size === 0) return { keys, next: undefined };
    let next: number | undefined;
    for (const key of this.#emptySince.keys())
      if (!this.#ledger.retired().has(key)) this.#emptySince.delete(key);
    for (const [key, frontEnd] of this.#ledger.retired()) {
      const due = this.#dueTime(key, { frontEnd, now });
      if (due === undefined) continue;
      if (due > now) next = Math.min(next ?? due, due);
      else keys.add(this.#ledger.release(key));
    }
    return { keys, next };
  }

  /** Gives up the entries and addresses of front ends whose virtual servers are known to be deleted. Returns the keys to plan. */
  forget(): Keys {
    const keys = new Keys();
    for (const key of this.#ledger.leaving().keys())
      if (!this.#mirror.virtualServers.has(key) && !this.#mirror.unknownVirtualServers.has(key))
        keys.add(this.#ledger.forget(key));
    return keys;
  }

  /** When a front end may be deleted; `undefined` while it has real servers, or its state is unknown or undecided. */
  #dueTime(
    key: string,
    { frontEnd: { virtualServer, isBound }, now }: { frontEnd: FrontEnd; now: number },
  ): number | undefined {
    if (this.#mirror.unknownVirtualServers.has(key) || this.#ledger.isUndecided(key))
      return undefined;
    const held = this.#mirror.virtualServers.get(key);
    if (held === undefined) return now;
    if (held.realServers.size > 0) {
      this.#emptySince.delete(key);
      return undefined;
    }
    const isOnNode = isBound || this.#mirror.nodeAddresses.includes(virtualServer.address);
    if (!isOnNode) return now;
    const since = this.#emptySince.get(key) ?? now;
    this.#emptySince.set(key, since);
    return since + clientReset;
  }
}
