import type { Logger } from '../../log/log.ts';
import { type Clock, minutes } from '../../runner/clock.ts';

/** How often at most a missing Node is logged, in milliseconds. */
const silence = minutes(5);

const consequences =
  'endpoints count as local only where slices name this node exactly so, and hints for zones are not followed';
const neverThere = ', and /healthz answers 503 unless objects come from manifests';

/** Logs when no Node has the name of this node, with the consequences, and when there is one again. */
export class NodePresence {
  readonly #options: { readonly log: Logger; readonly clock: Clock; readonly nodeName: string };
  #isMissing = false;
  #wasThere = false;
  /** When a missing Node was last logged. */
  #changedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last line said that the Node is missing. */
  #isLogged = false;

  constructor(options: { log: Logger; clock: Clock; nodeName: string }) {
    this.#options = options;
  }

  /** Call it whenever the presence of the Node may have changed, once all Nodes have been read. */
  check(isThere: boolean): void {
    this.#wasThere ||= isThere;
    if (isThere !== this.#isMissing) return;
    this.#isMissing = !isThere;
    if (isThere) this.#logFound();
    else this.#logMissing();
  }

  #logFound(): void {
    if (!this.#isLogged) return;
    this.#isLogged = false;
    const { log, nodeName } = this.#options;
    log.info('there is a Node of our name now', { node: nodeName });
  }

  #logMissing(): void {
    const { log, clock, nodeName } = this.#options;
    const now = clock.now();
    if (now - this.#changedAt < silence) return;
    [this.#changedAt, this.#isLogged] = [now, true];
    const text = `${this.#reason()}: ${consequences}${this.#wasThere ? '' : neverThere}`;
    log.warn(text, { node: nodeName });
  }

  #reason(): string {
    if (this.#wasThere) return 'the Node of our name was deleted';
    return this.#options.nodeName.includes('$')
      ? 'the node name holds a variable that nothing has expanded, so no Node has it'
      : 'no Node has our name (--hostname-override sets it)';
  }
}
