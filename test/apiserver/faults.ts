import { type ApiRequest, matches, type RequestMatch } from './request.ts';

/** What goes wrong with a request. */
export type Effect =
  /** It is answered with a status, and a Retry-After header if seconds are given. */
  | {
      readonly kind: 'status';
      readonly code: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfter?: number;
    }
  /** It is answered with something that no API server sends. */
  | {
      readonly kind: 'body';
      readonly code: number;
      readonly contentType: string;
      readonly body: string | Uint8Array;
    }
  /** It waits, then goes on; milliseconds. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** It is never answered, the connection stays open. */
  | { readonly kind: 'hang' }
  /** The connection is cut before the answer. */
  | { readonly kind: 'reset' }
  /**
   * A watch breaks after some events (bookmarks count), all before them unharmed: the answer ends as if it were
   * complete, the connection is cut between two lines, or within the next line.
   */
  | { readonly kind: 'cut'; readonly afterEvents: number; readonly how: Break }
  /** A watch ends with an ERROR event after some events. */
  | {
      readonly kind: 'error event';
      readonly afterEvents: number;
      readonly code: number;
      readonly reason: string;
      readonly message: string;
    };

/** How a watch breaks. */
export type Break = 'end' | 'reset' | 'mid-event';

/** One effect, and which requests it strikes. */
export interface Injection {
  readonly effect: Effect;
  readonly match?: RequestMatch | ((request: ApiRequest) => boolean);
  /** How many requests it strikes; all of them if it is not given. */
  readonly times?: number;
}

/** An open watch, as faults see it. */
export interface Breakable {
  readonly request: ApiRequest;
  break(how: Break): void;
  breakAtNextEvent(how: Break): void;
  sendBookmark(): void;
  /** Writes what was held back. */
  resume(): void;
}

/** What is wrong with the server, as tests want it. */
export class Faults {
  /** Bookmarks come, periodic ones and the one that ends the initial events. */
  hasBookmarks = true;
  /** `sendInitialEvents` works; servers before Kubernetes 1.34 (mostly) refuse it. */
  hasInitialEvents = true;
  /** Every event of a watch comes twice. */
  hasDuplicateEvents = false;
  /** A watch from a forgotten version is refused with HTTP status 410, not with an ERROR event within a 200. */
  isExpiryStatus = false;
  /** The past version that a list with `resourceVersion=0` shows, as an API server that lags behind would. */
  staleVersion: number | undefined;
  readonly #injections: { injection: Injection; left: number }[] = [];
  readonly #watches = new Set<Breakable>();
  #isPaused = false;

  /** Adds an effect; the returned function takes it back. The oldest effect that matches a request strikes. */
  inject(injection: Injection): () => void {
    const entry = { injection, left: injection.times ?? Number.POSITIVE_INFINITY };
    this.#injections.push(entry);
    return () => this.#take(entry);
  }

  /** The effect that strikes a request, used up by one. */
  strike(request: ApiRequest): Effect | undefined {
    const entry = this.#injections.find(({ injection }) => matches(request, injection.match ?? {}));
    if (entry === undefined) return undefined;
    entry.left--;
    if (entry.left <= 0) this.#take(entry);
    return entry.injection.effect;
  }

  /** Breaks the open watches that match, now or in place of their next event. Returns how many there were. */
  breakWatches(options: { how: Break; match?: RequestMatch; at?: 'now' | 'next event' }): number {
    const watches = this.#matching(options.match);
    for (const watch of watches) {
      if (options.at === 'next event') watch.breakAtNextEvent(options.how);
      else watch.break(options.how);
    }
    return watches.length;
  }

  /** Sends a bookmark on the open watches that match and allow it. */
  sendBookmarks(match: RequestMatch = {}): void {
    for (const watch of this.#matching(match)) watch.sendBookmark();
  }

  /** From now on no watch gets a byte, as if the network had swallowed them. */
  pauseWatches(): void {
    this.#isPaused = true;
  }

  /** What was held back goes out. */
  resumeWatches(): void {
    this.#isPaused = false;
    for (const watch of this.#watches) watch.resume();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Everything works again; what was broken stays broken. */
  clear(): void {
    this.#injections.length = 0;
    this.hasBookmarks = true;
    this.hasInitialEvents = true;
    this.hasDuplicateEvents = false;
    this.isExpiryStatus = false;
    this.staleVersion = undefined;
    this.resumeWatches();
  }

  /** Makes an open watch known; the returned function makes it forgotten. */
  register(watch: Breakable): () => void {
    this.#watches.add(watch);
    return () => this.#watches.delete(watch);
  }

  #matching(match: RequestMatch = {}): Breakable[] {
    return [...this.#watches].filter(({ request }) => matches(request, match));
  }

  #take(entry: { injection: Injection; left: number }): void {
    const index = this.#injections.indexOf(entry);
    if (index >= 0) this.#injections.splice(index, 1);
  }
}
