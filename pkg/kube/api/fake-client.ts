import type { Client, ListOptions, RequestOptions, WatchOptions } from './client.ts';

/** One list or watch that a test answers. */
export interface FakeCall {
  readonly type: 'list' | 'watch';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Whether it was asked for on a connection of its own. */
  readonly ownConnection: boolean;
  /** Whether the caller has given it up. */
  isAborted(): boolean;
  /** Accepts a watch; whatever is sent does so too. */
  open(): void;
  /** Sends items of a list, or events of a watch. */
  send(...values: unknown[]): void;
  /** Ends it as a server does; a list with its metadata. */
  end(metadata?: unknown): void;
  /** Ends a list with something else than a list of its kind. */
  answer(body: unknown): void;
  /** Ends it with an error. */
  fail(error: Error): void;
}

/** A post or a patch that was made. */
export interface FakeWrite {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: unknown;
}

/** A list or a watch that was asked for. */
interface Started extends RequestOptions {
  readonly type: FakeCall['type'];
  readonly ownConnection: boolean;
  /** What stands before the items of a list. */
  readonly head: object;
  readonly start: () => void;
  readonly sink: (values: readonly unknown[]) => void;
}

/** An API whose answers a test gives, call by call. */
export class FakeClient implements Client {
  readonly writes: FakeWrite[] = [];
  /** What a post or a patch is answered with. */
  onWrite: (body: unknown) => Promise<unknown> = async (body) => body;
  readonly #calls: FakeCall[] = [];
  readonly #takers: ((call: FakeCall) => void)[] = [];
  #open = 0;

  /** Calls that were asked for and not yet taken. */
  get waiting(): number {
    return this.#calls.length;
  }

  /** Calls that have neither ended, failed nor been given up. */
  get open(): number {
    return this.#open;
  }

  /** The next list or watch that is asked for. */
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
    const heard = (hear: () => void) => {
      try {
        if (isOpen && !hasStarted) {
          hasStarted = true;
          start();
        }
        if (isOpen) hear();
      } catch (error) {
        close(() => reject(error as Error));
      }
    };
    const end = (value: unknown) => heard(() => close(() => resolve(value)));
    const onAbort = () => close(() => reject(signal?.reason as Error));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#give({
      type,
      path,
      query,
      ownConnection,
      open: () => heard(() => {}),
      send: (...values) => heard(() => sink(values)),
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
