import {
  type Ipvs,
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { Logger } from '../../log/log.ts';
import { seconds } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Keys } from '../desired/keys.ts';
import { isPodKnown, isSamePod } from '../desired/pod-identity.ts';
import { endsKey } from '../flows/flow-ends.ts';
import { masqueraded } from '../plan/operation.ts';
import type { ApplyNow } from './ender.ts';
import { uniqueRS } from './list.ts';

/**
 * How long a deleted real server stays away before one is added at its place, in milliseconds. The kernel keeps deleted servers for a
 * while and reuses one that comes back within some 10 ms, with its connections, which are another pod's.
 */
const rest = 50;
/** The same the second time, if the first was not enough. */
const longRest = seconds(1);

/** A real server and whose pod it is or was. */
type PodsServer = RealServerId & { readonly podUid: string };

interface Replacement {
  readonly virtualServer: VirtualServerId;
  /** The one that was deleted, and whose it was. */
  readonly realServer: PodsServer;
  until: number;
  attempt: number;
  /** Its time has come: who wants it may add it now, and if nobody does it is forgotten. */
  isOffered: boolean;
  /** Added again; whether it came without connections is still to be seen. */
  isAdded: boolean;
}

/** What the replacements work with. */
export interface ReplacementOptions {
  readonly ipvs: Ipvs;
  /** Carries out operations on real servers before it returns; the failed ones. */
  readonly apply: ApplyNow;
  readonly now: () => number;
  readonly log: Logger;
  /** A server came back with old connections twice, and is kept. */
  readonly onReused: (virtualServer: VirtualServerId, realServer: RealServerId) => void;
}

/** Real servers that were deleted a moment ago: none is added for another pod before the kernel has forgotten the old one. */
export class Replacements {
  readonly #options: ReplacementOptions;
  readonly #all = new Map<string, Replacement>();

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** A real server was deleted whose place another pod may take. */
  begin(virtualServer: VirtualServerId, realServer: PodsServer): void {
    if (!isPodKnown(realServer.podUid)) return;
    this.#all.set(endsKey({ virtualServer, realServer }), {
      virtualServer,
      realServer,
      until: this.#options.now() + rest,
      attempt: 1,
      isOffered: false,
      isAdded: false,
    });
  }

  /** Whether a real server must not be added yet. The same pod's may be at any time: its connections are its own. */
  isResting(virtualServer: VirtualServerId, realServer: PodsServer): boolean {
    if (this.#all.size === 0) return false;
    const replacement = this.#all.get(endsKey({ virtualServer, realServer }));
    return (
      replacement !== undefined &&
      replacement.until > this.#options.now() &&
      !isSamePod(realServer.podUid, replacement.realServer.podUid)
    );
  }

  /** What may be added by now, and when to ask again, if anything still rests. */
  due(): { readonly keys: Keys; readonly next: number | undefined } {
    const keys = new Keys();
    let next: number | undefined;
    for (const replacement of this.#all.values()) {
      const { virtualServer, realServer, until, isAdded } = replacement;
      const now = this.#options.now();
      if (isAdded) {
        // It could not be read; see verify.
        next = Math.min(next ?? Number.POSITIVE_INFINITY, now + longRest);
        continue;
      }
      replacement.isOffered = until <= now;
      if (replacement.isOffered) keys.addRealServers(virtualServerKey(virtualServer), [realServer]);
      else next = Math.min(next ?? until, until);
    }
    return { keys, next };
  }

  /** A real server was added. */
  added(virtualServer: VirtualServerId, realServer: PodsServer): void {
    if (this.#all.size === 0) return;
    const key = endsKey({ virtualServer, realServer });
    const replacement = this.#all.get(key);
    if (replacement === undefined) return;
    if (isSamePod(realServer.podUid, replacement.realServer.podUid)) this.#all.delete(key);
    else replacement.isAdded = true;
  }

  /** Sees whether the replaced servers that were added came without connections; one that did not is deleted once more. */
  async verify(token: MutexToken): Promise<void> {
    token.check();
    for (const [key, replacement] of this.#all) {
      if (!replacement.isAdded) {
        if (replacement.isOffered) this.#all.delete(key);
        continue;
      }
      const isReused = await this.#isReused(replacement);
      // What cannot be read is looked at again.
      if (isReused === undefined) continue;
      if (isReused && replacement.attempt === 1) this.#repeat(replacement, token);
      else {
        this.#all.delete(key);
        if (isReused) this.#options.onReused(replacement.virtualServer, replacement.realServer);
      }
    }
  }

  /** Whether a real server has connections; `undefined` if that cannot be told now. */
  async #isReused({ virtualServer, realServer }: Replacement): Promise<boolean | undefined> {
    try {
      const statuses = await this.#options.ipvs.realServers(virtualServer);
      const status = statuses.find((some) => realServerKey(some) === realServerKey(realServer));
      if (status === undefined) return false;
      return status.activeConnections + status.inactiveConnections > 0;
    } catch {
      return undefined;
    }
  }

  #repeat(replacement: Replacement, token: MutexToken): void {
    const { virtualServer, realServer } = replacement;
    this.#options.log.info('a real server came back with old connections', {
      realServer: uniqueRS(virtualServer, realServer),
    });
    const { address, port } = realServer;
    const deleted = masqueraded({ address, port, weight: 0 });
    this.#options.apply(
      [{ kind: 'deleteRealServer', virtualServer, realServer: deleted, reason: 'reused' }],
      token,
    );
    replacement.until = this.#options.now() + longRest;
    replacement.attempt = 2;
    replacement.isOffered = false;
    replacement.isAdded = false;
  }
}
