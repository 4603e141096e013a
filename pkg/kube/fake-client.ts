import type { Client, RequestOptions } from './client.ts';

/** One list or watch that a test answers. */
export interface FakeCall {
  readonly type: 'list' | 'watch';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Whether the caller has given it up. */
  isAborted(): boolean;
  /** Sends items of a list, or events of a watch. */
  send(...values: unknown[]): void;
  /** Ends it as a server does; a list with its metadata. */
  end(metadata?: unknown): void;
  /** Ends it with an error. */
  fail(error: Error): void;
}

/** An API whose answers a test gives, call by call. */
export interface FakeClient extends Client {
  /** The next list or watch that is asked for. */
  call(): Promise<FakeCall>;
  /** Calls that were asked for and not yet taken. */
  waiting(): number;
  /** Calls that have neither ended, failed nor been given up. */
  open(): number;
  /** Bodies of posts and patches, in order; each is answered by what `onWrite` gives. */
  readonly writes: { readonly method: 'POST' | 'PATCH'; readonly path: string; readonly body: unknown }[];
  onWrite: (body: unknown) => Promise<unknown>;
}

/** An API without any answers yet. */
export function fakeClient(): FakeClient {
  const calls: FakeCall[] = [];
  const takers: ((call: FakeCall) => void)[] = [];
  const writes: FakeClient['writes'] = [];
  let open = 0;

  function start(type: 'list' | 'watch', path: string, options: RequestOptions & { sink: (values: readonly unknown[]) => void }): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { signal, sink, query = {} } = options;
    let isOpen = true;
    open++;
    const close = (finish: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      open--;
      finish();
    };
    signal?.addEventListener('abort', () => close(() => reject(signal.reason as Error)), { once: true });
    const call: FakeCall = {
      type,
      path,
      query,
      isAborted: () => signal?.aborted === true,
      send: (...values) => {
        if (!isOpen) return;
        try {
          sink(values);
        } catch (error) {
          close(() => reject(error as Error));
        }
      },
      end: (metadata) => close(() => resolve({ metadata })),
      fail: (error) => close(() => reject(error)),
    };
    const taker = takers.shift();
    if (taker === undefined) calls.push(call);
    else taker(call);
    return promise;
  }

  const client: FakeClient = {
    writes,
    onWrite: async (body) => body,
    call: () => {
      const call = calls.shift();
      return call === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(call);
    },
    waiting: () => calls.length,
    open: () => open,
    get: async () => undefined,
    post: (path, body) => {
      writes.push({ method: 'POST', path, body });
      return client.onWrite(body);
    },
    patch: (path, body) => {
      writes.push({ method: 'PATCH', path, body });
      return client.onWrite(body);
    },
    list: (path, { onItems, ...options }) => start('list', path, { ...options, sink: onItems }),
    watch: async (path, { onEvents, ...options }) => void (await start('watch', path, { ...options, sink: onEvents })),
  };
  return client;
}
