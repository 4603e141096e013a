import {
  type Ipvs,
  type RealServerId,
  realServerKey,
  type VirtualServerId,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { Logger } from '../log/log.ts';
import { seconds } from '../runner/clock.ts';
import { uniqueRS } from './graceful.ts';
import { Keys } from './keys.ts';
import type { ServerWriter } from './server-writer.ts';

/**
 * How long a deleted real server stays away before one is added at its place, in milliseconds. The kernel keeps deleted servers for a
 * while and revives one that comes back within some 10 ms, with its connections, which are another pod's.
 */
const rest = 50;
/** The same the second time, if the first was not enough. */
const longRest = seconds(1);

interface Replacement {
  readonly server: VirtualServerId;
  readonly backend: RealServerId;
  until: number;
  attempt: number;
  /** Added again; whether it came without connections is still to be seen. */
  isAdded: boolean;
}

/** What the replacements work with. */
export interface ReplacementOptions {
  readonly ipvs: Ipvs;
  readonly writer: ServerWriter;
  readonly now: () => number;
  readonly log: Logger;
  /** A server came back with old connections twice, and is kept. */
  readonly onRevived: (server: VirtualServerId, backend: RealServerId) => void;
}

/** Real servers whose address went to another pod: deleted, and not added again before the kernel has forgotten the old ones. */
export class Replacements {
  readonly #options: ReplacementOptions;
  readonly #all = new Map<string, Replacement>();

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  /** A real server was deleted whose place another pod takes. */
  begin(server: VirtualServerId, backend: RealServerId): void {
    const until = this.#options.now() + rest;
    this.#all.set(keyOf(server, backend), { server, backend, until, attempt: 1, isAdded: false });
  }

  /** Whether a real server must not be added yet. */
  isResting(server: VirtualServerId, backend: RealServerId): boolean {
    if (this.#all.size === 0) return false;
    const replacement = this.#all.get(keyOf(server, backend));
    return replacement !== undefined && replacement.until > this.#options.now();
  }

  /** What may be added by now, and when to ask again, if anything still rests. */
  due(): { readonly keys: Keys; readonly next: number | undefined } {
    const keys = new Keys();
    let next: number | undefined;
    for (const { server, until, isAdded } of this.#all.values()) {
      if (isAdded) continue;
      if (until > this.#options.now()) next = Math.min(next ?? until, until);
      else keys.servers.add(virtualServerKey(server));
    }
    return { keys, next };
  }

  /** A real server was added. */
  added(server: VirtualServerId, backend: RealServerId): void {
    if (this.#all.size === 0) return;
    const replacement = this.#all.get(keyOf(server, backend));
    if (replacement !== undefined) replacement.isAdded = true;
  }

  /** Sees whether the replaced servers that were added came without connections; one that did not is deleted once more. Inside the lane only. */
  async verify(): Promise<void> {
    for (const [key, replacement] of this.#all) {
      if (!replacement.isAdded) continue;
      const { server, backend } = replacement;
      const status = (await this.#options.ipvs.realServers(server)).find(
        (some) => realServerKey(some) === realServerKey(backend),
      );
      const isRevived =
        status !== undefined && status.activeConnections + status.inactiveConnections > 0;
      if (isRevived && replacement.attempt === 1) this.#repeat(replacement);
      else {
        this.#all.delete(key);
        if (isRevived) this.#options.onRevived(server, backend);
      }
    }
  }

  #repeat(replacement: Replacement): void {
    const { server, backend } = replacement;
    this.#options.log.info('a real server came back with old connections', {
      realServer: uniqueRS(server, backend),
    });
    const [failure] = this.#options.writer.write([
      { write: { kind: 'deleteRealServer', server, backend } },
    ]);
    if (failure !== undefined)
      this.#options.log.error('could not delete a revived real server', failure.error);
    replacement.until = this.#options.now() + longRest;
    replacement.attempt = 2;
    replacement.isAdded = false;
  }
}

function keyOf(server: VirtualServerId, backend: RealServerId): string {
  return `${virtualServerKey(server)} ${realServerKey(backend)}`;
}
