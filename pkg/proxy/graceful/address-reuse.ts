import {
  type Ipvs,
  type RealServerId,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import { seconds } from '../../runner/clock.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Keys } from '../desired/keys.ts';
import { isPodKnown, isSamePod } from '../desired/pod-identity.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import { masqueraded } from '../desired/real-servers.ts';
import type { Apply } from './checker.ts';
import { uniqueRS } from './list.ts';

/**
 * How long no real server of another pod is added in place of a deleted one, in milliseconds. The kernel keeps deleted real servers for
 * a while. It reuses one that is added again within some 10 ms, with the connections of the old pod.
 */
const rest = 50;
/** The same for a second attempt, after the kernel reused the old connections once. */
const longRest = seconds(1);

/** A real server and its pod. */
type PodsRealServer = RealServerId & { readonly podUid: PodIdentity };

interface Replacement {
  readonly virtualServer: VirtualServerId;
  /** The real server that was deleted, and its pod. */
  readonly realServer: PodsRealServer;
  until: number;
  attempt: number;
  /** It was offered to the planner once. If it has not been added since, it is forgotten. */
  isOffered: boolean;
  /** It was added again. Whether the kernel reused the old connections is not checked yet. */
  isAdded: boolean;
}

export interface ReplacementOptions {
  readonly ipvs: Pick<Ipvs, 'realServers'>;
  readonly apply: Apply;
  readonly now: () => number;
  readonly log: Logger;
  /** Called when a real server had old connections twice after it was added again. It is kept then. */
  readonly onReused: (virtualServer: VirtualServerId, realServer: RealServerId) => void;
}

/** Real servers that were deleted a moment ago. None is added for another pod before the kernel has forgotten the old one. */
export class Replacements {
  readonly #options: ReplacementOptions;
  /** By the key of the virtual server. */
  readonly #all = new Map<string, RealServerMap<Replacement>>();

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Records that a real server was deleted, as another pod may take its address and port. */
  begin(virtualServer: VirtualServerId, realServer: PodsRealServer): void {
    if (!isPodKnown(realServer.podUid)) return;
    const key = virtualServerKey(virtualServer);
    const replacements = this.#all.get(key) ?? new RealServerMap<Replacement>();
    this.#all.set(key, replacements);
    replacements.set(realServer, {
      virtualServer,
      realServer,
      until: this.#options.now() + rest,
      attempt: 1,
      isOffered: false,
      isAdded: false,
    });
  }

  /** Whether a real server must not be added yet. One for the same pod may always be added, as old connections belong to that pod. */
  isResting(virtualServer: VirtualServerId, realServer: PodsRealServer): boolean {
    if (this.#all.size === 0) return false;
    const replacement = this.#all.get(virtualServerKey(virtualServer))?.get(realServer);
    return (
      replacement !== undefined &&
      replacement.until > this.#options.now() &&
      !isSamePod(realServer.podUid, replacement.realServer.podUid)
    );
  }

  /** Returns the keys of the real servers that may be added now, to be planned, and the time to ask again; `undefined` if none waits. */
  offerDue(): { readonly keys: Keys; readonly next: number | undefined } {
    const keys = new Keys();
    if (this.#all.size === 0) return { keys, next: undefined };
    const now = this.#options.now();
    let next: number | undefined;
    for (const replacement of this.#each()) {
      const { virtualServer, realServer, until, isAdded } = replacement;
      // One that was added and could not be read is checked again; see verify.
      const due = isAdded ? now + longRest : until;
      replacement.isOffered = !isAdded && until <= now;
      if (replacement.isOffered) keys.addRealServers(virtualServerKey(virtualServer), [realServer]);
      else next = Math.min(next ?? due, due);
    }
    return { keys, next };
  }

  /** Records that a real server was added. */
  added(virtualServer: VirtualServerId, realServer: PodsRealServer): void {
    if (this.#all.size === 0) return;
    const replacement = this.#all.get(virtualServerKey(virtualServer))?.get(realServer);
    if (replacement === undefined) return;
    if (isSamePod(realServer.podUid, replacement.realServer.podUid)) this.#delete(replacement);
    else replacement.isAdded = true;
  }

  /**
   * Checks whether real servers that were added again have connections of the old pod, and deletes such a one once more. Returns
   * `undefined` if there is none to check.
   */
  verify(token: MutexToken): Promise<void> | undefined {
    token.check();
    return this.#all.size === 0 ? undefined : this.#verifyAll(token);
  }

  async #verifyAll(token: MutexToken): Promise<void> {
    for (const replacement of [...this.#each()]) {
      if (!replacement.isAdded) {
        if (replacement.isOffered) this.#delete(replacement);
        continue;
      }
      const isReused = await this.#isReused(replacement);
      // One that cannot be read is checked again.
      if (isReused === undefined) continue;
      if (isReused && replacement.attempt === 1) await this.#repeat(replacement, token);
      else {
        this.#delete(replacement);
        if (isReused) this.#options.onReused(replacement.virtualServer, replacement.realServer);
      }
    }
  }

  /** Whether a real server has connections; `undefined` if it could not be read. */
  async #isReused({ virtualServer, realServer }: Replacement): Promise<boolean | undefined> {
    try {
      const { address, port } = realServer;
      const statuses = await this.#options.ipvs.realServers(virtualServer, new Set([address]));
      const status = statuses.find((some) => some.port === port);
      if (status === undefined) return false;
      return status.activeConnections + status.inactiveConnections > 0;
    } catch {
      return undefined;
    }
  }

  async #repeat(replacement: Replacement, token: MutexToken): Promise<void> {
    const { virtualServer, realServer } = replacement;
    this.#options.log.info('a real server came back with old connections', {
      realServer: uniqueRS({ virtualServer, realServer }),
    });
    const { address, port } = realServer;
    const deleted = masqueraded({ address, port, weight: 0 });
    await this.#options.apply(
      [{ kind: 'deleteRealServer', virtualServer, realServer: deleted, reason: 'reused' }],
      token,
    );
    replacement.until = this.#options.now() + longRest;
    replacement.attempt = 2;
    replacement.isOffered = false;
    replacement.isAdded = false;
  }

  *#each(): Generator<Replacement> {
    for (const replacements of this.#all.values()) yield* replacements.values();
  }

  #delete({ virtualServer, realServer }: Replacement): void {
    const key = virtualServerKey(virtualServer);
    const replacements = this.#all.get(key);
    if (replacements?.delete(realServer) && replacements.size === 0) this.#all.delete(key);
  }
}
