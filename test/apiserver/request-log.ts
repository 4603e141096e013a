import { type ApiRequest, matches, type RequestMatch } from './request.ts';

/** A request that came in. */
export interface LoggedRequest extends ApiRequest {
  /** The client's port: requests with the same one shared a connection. */
  readonly remotePort: number;
  readonly userAgent: string;
  /** Who asked: the token or the certificate's name, '' for nobody known. */
  readonly user: string;
  /** The answer's status; 0 as long as there is none, and for a connection that was cut before. */
  code: number;
  /** In what it was answered. */
  contentType: string;
  /** Whether the answer has ended; for a watch, whether it is closed. */
  isOver: boolean;
}

const limit = 20_000;

/** Every request that came in, so that tests can prove which were made and which were not. */
export class RequestLog {
  readonly #requests: LoggedRequest[] = [];
  readonly #waiting = new Set<() => void>();

  add(request: LoggedRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > limit * 2) this.#requests.splice(0, limit);
    this.changed();
  }

  /** Tells those who wait that something about a request is different now. */
  changed(): void {
    for (const check of this.#waiting) check();
  }

  /** The requests that match, in the order in which they came. */
  all(match: RequestMatch = {}): LoggedRequest[] {
    return this.#requests.filter((request) => matches(request, match));
  }

  count(match: RequestMatch = {}): number {
    return this.all(match).length;
  }

  /** The watches that are open now. */
  openWatches(match: RequestMatch = {}): LoggedRequest[] {
    return this.all({ ...match, verb: 'watch' }).filter(
      ({ isOver, code }) => !isOver && code === 200,
    );
  }

  /** How many requests of each kind there were: `list services: 2`. */
  summary(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { verb, method, path, resource } of this.#requests) {
      const kind = resource === undefined ? `${method} ${path}` : `${verb} ${resource.plural}`;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  /** Resolves as soon as the log fulfils the condition; give the signal of the test's deadline. */
  async until(condition: (log: RequestLog) => boolean, signal?: AbortSignal): Promise<void> {
    if (condition(this)) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (end: () => void) => {
        this.#waiting.delete(check);
        signal?.removeEventListener('abort', abort);
        end();
      };
      const check = () => {
        if (condition(this)) finish(resolve);
      };
      const abort = () =>
        finish(() =>
          reject(
            new Error('the requests that were waited for did not come', { cause: signal?.reason }),
          ),
        );
      if (signal?.aborted) return abort();
      this.#waiting.add(check);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
