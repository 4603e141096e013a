import type { ServerResponse } from 'node:http';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import type { Form } from './answer.ts';
import type { Context } from './context.ts';
import { viewText } from './event-views.ts';
import type { Effect } from './faults.ts';
import { parseVersion, selectorOf } from './list.ts';
import type { Json } from './objects.ts';
import { type ApiRequest, isTrue } from './request.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { ApiError, expired, invalidListOptions, noSuchPath, tooLargeVersion } from './status.ts';
import { type Stored, type StoreEvent, withVersion } from './store.ts';
import { tablePieces } from './tables.ts';
import { errorLine, framingOf, WatchStream } from './watch-stream.ts';

const defaultTimeout = minutes(45);

/** What a watch begins with. */
interface Start {
  readonly events: readonly StoreEvent[];
  readonly initial: readonly Stored[];
  /** Whether a bookmark marks the end of the initial events. */
  readonly isMarked: boolean;
}

/** Answers a watch until its timeout, or until the client goes. */
export function serveWatch(
  context: Context,
  request: ApiRequest,
  options: { response: ServerResponse; form: Form; effect: Effect | undefined },
): void {
  const { resource, query } = request;
  if (resource === undefined) throw noSuchPath();
  const { response, form, effect } = options;
  const { store } = context.registry;
  const selects = selectorOf(request, resource);
  const lines = new Lines({
    resource,
    form,
    include: query.get('includeObject') ?? 'Metadata',
    now: () => context.clock.wallClock(),
  });
  const allowsBookmarks = isTrue(query, 'allowWatchBookmarks');
  const bookmark = () => (allowsBookmarks ? lines.bookmark(store.revision) : undefined);
  const stream = new WatchStream({
    request,
    response,
    bookmark,
    faults: context.faults,
    framing: framingOf(form),
  });
  const start = startOf(context, request, resource);
  stream.start(effect);
  if (start instanceof ApiError) {
    stream.push(errorLine(start.fields));
    return stream.end();
  }
  for (const stored of start.initial)
    if (selects(stored)) stream.push(lines.event('ADDED', stored));
  if (start.isMarked && allowsBookmarks && context.faults.hasBookmarks) {
    stream.push(lines.bookmark(store.revision, { 'k8s.io/initial-events-end': 'true' }));
  }
  const report = (event: StoreEvent) => {
    const seen = asSeen(event, selects);
    if (event.current.storage === resource.storage && seen !== undefined)
      stream.push(lines.event(seen.type, seen.stored));
  };
  for (const event of start.events) report(event);
  stream.flush();
  const stop = [
    store.subscribe((event) => {
      report(event);
      stream.flush();
    }),
    context.faults.register(stream),
    every(context, () => stream.sendBookmark()),
    context.clock.after(seconds(Number(query.get('timeoutSeconds') ?? 0)) || defaultTimeout, () => {
      stream.sendBookmark();
      stream.end();
    }),
  ];
  response.on('close', () => {
    for (const end of stop) end();
  });
}

/** The first events of a watch, or an error that is sent as an event. */
function startOf(
  { registry: { store }, faults }: Context,
  { query }: ApiRequest,
  { storage }: Resource,
): Start | ApiError {
  checkOptions(query, faults.hasInitialEvents);
  const version = query.get('resourceVersion') ?? '';
  const wanted = version === '' ? 0 : parseVersion(version);
  const isMarked = isTrue(query, 'sendInitialEvents');
  if (isMarked && wanted > store.revision) throw tooLargeVersion(wanted, store.revision);
  const hasInitial = isMarked || (wanted === 0 && query.get('sendInitialEvents') === null);
  if (hasInitial) return { initial: store.list(storage), events: [], isMarked };
  try {
    // One from the future waits for it.
    return { initial: [], events: store.since(wanted === 0 ? store.revision : wanted), isMarked };
  } catch (error) {
    if (!(error instanceof ApiError) || faults.isExpiryStatus) throw error;
    return expired(error.message);
  }
}

function checkOptions(query: URLSearchParams, hasInitialEvents: boolean): void {
  const isAsked = query.has('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  if (isAsked && !hasInitialEvents) {
    const message =
      'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
    throw invalidListOptions('sendInitialEvents', message);
  }
  if (isAsked && match !== 'NotOlderThan') {
    const message = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
    throw invalidListOptions('resourceVersionMatch', message);
  }
  if (!isAsked && match !== '') {
    const message =
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
    throw invalidListOptions('resourceVersionMatch', message);
  }
}

/** An event as a watch with a selector sees it: objects come and go as they begin and cease to match. */
function asSeen(
  { type, version, previous, current }: StoreEvent,
  selects: (stored: Stored) => boolean,
): { type: StoreEvent['type']; stored: Stored } | undefined {
  const was = previous !== undefined && selects(previous);
  const is = type !== 'DELETED' && selects(current);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', stored: current };
  if (!was) return undefined;
  return { type: 'DELETED', stored: type === 'DELETED' ? current : withVersion(previous, version) };
}

/** Makes the lines of a watch in the form that its client asked for. */
class Lines {
  readonly #resource: Resource;
  readonly #form: Form;
  readonly #include: string;
  readonly #now: () => number;

  constructor(parts: { resource: Resource; form: Form; include: string; now: () => number }) {
    this.#resource = parts.resource;
    this.#form = parts.form;
    this.#include = parts.include;
    this.#now = parts.now;
  }

  event(type: StoreEvent['type'], stored: Stored): string {
    const metadata = { resourceVersion: String(stored.version) };
    const text =
      this.#form === 'table' ? this.#table([stored], metadata) : viewText(this.#resource, stored);
    return `{"type":"${type}","object":${text}}\n`;
  }

  bookmark(version: number, annotations?: Json): string {
    const metadata = {
      resourceVersion: String(version),
      creationTimestamp: null,
      ...(annotations ? { annotations } : {}),
    };
    const { kind } = this.#resource;
    const text =
      this.#form === 'table'
        ? this.#table([], metadata)
        : JSON.stringify({ kind, apiVersion: apiVersionOf(this.#resource), metadata });
    return `{"type":"BOOKMARK","object":${text}}\n`;
  }

  #table(rows: readonly Stored[], metadata: Json): string {
    const pieces = tablePieces(this.#resource, rows, {
      metadata,
      include: this.#include,
      now: this.#now(),
    });
    return [...pieces].join('').trimEnd();
  }
}

/** Calls back at each bookmark interval; the returned function ends it. */
function every({ clock, bookmarkInterval }: Context, callback: () => void): () => void {
  let cancel = clock.after(bookmarkInterval, function tick() {
    cancel = clock.after(bookmarkInterval, tick);
    callback();
  });
  return () => cancel();
}
