import type { Client, ListOptions, RequestOptions, WatchOptions } from './client.ts';

/** A list or watch that a test answers. */
export interface FakeCall {
  readonly type: 'list' | 'watch';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Whether a connection of its own was requested. */
  readonly ownConnection: boolean;
  /** Whether the caller has aborted it. */
  isAborted(): boolean;
  /** Accepts a watch. Sending accepts it too. */
  open(): void;
  /** Sends items of a list or events of a watch. */
  send(...values: unknown[]): void;
  /** Ends it as a server does; a list gets metadata. */
  end(metadata?: unknown): void;
  /** Ends a list with another body than a list. */
  answer(body: unknown): void;
  /** Ends it with an error. */
  fail(error: Error): void;
}

/** A post or a patch. */
export interface FakeWrite {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: unknown;
}

/** A list or a watch that was requested. */
interface Started extends RequestOptions {
  readonly type: FakeCall['type'];
  readonly ownConnection: boolean;
  /** The fields before the items of a list. */
  readonly head: object;
  readonly start: () => void;
  readonly sink: (values: readonly unknown[]) => void;
}

/** An API whose answers a test gives, call by call. */
export class FakeClient implements Client {
  readonly writes: FakeWrite[] = [];
  /** Answers a post or a patch. */
  onWrite: (body: unknown) => Promise<unknown> = async (body) => body;
  readonly #calls: FakeCall[] = [];
  readonly #takers: ((call: FakeCall) => void)[] = [];
  #open = 0;

  /** How many calls were not taken by {@link call} yet. */
  get waiting(): number {
    return this.#calls.length;
  }

  /** How many calls have not ended, failed or been aborted. */
  get open(): number {
    return this.#open;
  }

  /** Waits for the next list or watch. */
  async call(): Promise<FakeCall> {
    return this.#calls.shift() ?? new Promise((resolve) => this.#takers.push(resolve));
  }

  async get(): Promise<unknown> {
    return undefined;
  }

  async post(path: string, body: unknown): Promise<unknown> {
    this.writes.push({ method: 'POST', path, body });
    return this.onWrite(body);
  }

  async patch(path: string, body: unknown): Promise<unknown> {
    this.writes.push({ method: 'PATCH', path, body });
    return this.onWrite(body);
  }

  async list(path: string, options: ListOptions): Promise<unknown> {
    const head = { kind: listKind(path) };
    const { onHead = () => {}, onItems: sink, ownConnection = false } = options;
    const start = () => onHead(head);
    return this.#start(path, { ...options, type: 'list', head, start, sink, ownConnection });
  }

  async watch(path: string, options: WatchOptions): Promise<void> {
    const { onOpen: start = () => {}, onEvents: sink } = options;
    const rest = { type: 'watch', head: {}, start, sink, ownConnection: true } as const;
    await this.#start(path, { ...options, ...rest });
  }

  #start(path: string, { signal, query = {}, type, ownConnection, ...started }: Started) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { head, start, sink } = started;
    let isOpen = true;
    let hasStarted = false;
    this.#open++;
    const close = (finish: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      this.#open--;
      finish();
    };
    const received = (receive: () => void) => {
      try {
        if (isOpen && !hasStarted) {
          hasStarted = true;
          start();
        }
        if (isOpen) receive();
      } catch (error) {
        close(() => reject(error as Error));
      }
    };
    const end = (value: unknown) => received(() => close(() => resolve(value)));
    const onAbort = () => close(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#give({
      type,
      path,
      query,
      ownConnection,
      open: () => received(() => {}),
      send: (...values) => received(() => sink(values)),
      isAborted: () => signal?.aborted === true,
      end: (metadata) => end({ ...head, items: [], metadata }),
      answer: (body) => close(() => resolve(body)),
      fail: (error) => close(() => reject(error)),
    });
    return promise;
  }

  #give(call: FakeCall): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#calls.push(call);
    else taker(call);
  }
}

function listKind(path: string): string {
  if (path.endsWith('/endpointslices')) return 'EndpointSliceList';
  return path.endsWith('/nodes') ? 'NodeList' : 'ServiceList';
}
