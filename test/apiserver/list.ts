import type { ServerResponse } from 'node:http';
import { answerPieces, type Form } from './answer.ts';
import type { Context } from './context.ts';
import { itemText } from './event-views.ts';
import type { Json } from './objects.ts';
import { encodeList, protobufType } from './protobuf-encode.ts';
import type { ApiRequest } from './request.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { parseSelector, type Selector } from './selectors.ts';
import {
  ApiError,
  badRequest,
  expired,
  invalidListOptions,
  noSuchPath,
  tooLargeVersion,
} from './status.ts';
import { objectOf, type Store, type Stored } from './store.ts';
import { tablePieces } from './tables.ts';

/** The state that a list shows, or the part of it that begins after a key. */
interface Page {
  /** All objects of the storage, in order. */
  readonly state: readonly Stored[];
  readonly version: number;
  /** The key that the page begins after; '' for the first page. */
  readonly after: string;
  /** How many objects at most; 0 for no limit. */
  readonly limit: number;
}

/** Answers a list: selectors, versions and paging as in the API's documentation of resource versions. */
export async function serveList(
  context: Context,
  request: ApiRequest,
  { response, form }: { response: ServerResponse; form: Form },
): Promise<void> {
  const { resource, query } = request;
  if (resource === undefined) throw noSuchPath();
  const selects = selectorOf(request, resource);
  const page = pageOf(context, resource.storage, readOptions(query));
  const { items, metadata } = cut(page, selects, hasSelector(query));
  if (form === 'protobuf') {
    response.writeHead(200, { 'content-type': protobufType });
    const kind = `${resource.kind}List`;
    const head = { kind, apiVersion: apiVersionOf(resource), metadata };
    return void response.end(encodeList(head, items.map(objectOf)));
  }
  if (form === 'objects') return answerPieces(response, listPieces(resource, items, metadata));
  const include = query.get('includeObject') ?? 'Metadata';
  await answerPieces(
    response,
    tablePieces(resource, items, { metadata, include, now: context.clock.wallClock() }),
  );
}

/** The selector of a list or watch. */
export function selectorOf({ query, namespace, name }: ApiRequest, resource: Resource): Selector {
  const fields = [query.get('fieldSelector') ?? '', name === '' ? '' : `metadata.name=${name}`]
    .filter(Boolean)
    .join(',');
  return parseSelector(resource, { namespace, labels: query.get('labelSelector') ?? '', fields });
}

/** The number of a `resourceVersion`. Throws a 400 if it is none. */
export function parseVersion(text: string): number {
  if (!/^\d{1,16}$/.test(text))
    throw badRequest(`Invalid value: "${text}": invalid resource version`);
  return Number(text);
}

interface ListOptions {
  /** '' for the latest state. */
  readonly version: string;
  readonly match: string;
  readonly limit: number;
  readonly token: string;
}

function readOptions(query: URLSearchParams): ListOptions {
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const token = query.get('continue') ?? '';
  if (query.has('sendInitialEvents')) {
    throw invalidListOptions('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  }
  if (match !== '' && version === '') {
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  if (match !== '' && token !== '') {
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden when continue is provided',
    );
  }
  if (match === 'Exact' && version === '0') {
    const message = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"';
    throw invalidListOptions('resourceVersionMatch', message);
  }
  if (token !== '' && version !== '' && version !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  return { version, match, token, limit: Number(query.get('limit') ?? 0) };
}

function pageOf(
  { registry: { store }, faults }: Context,
  storage: string,
  options: ListOptions,
): Page {
  const { version, match, token, limit } = options;
  if (token !== '') return continued(store, storage, { token, limit });
  const latest = { version: store.revision, after: '', limit };
  if (version === '') return { ...latest, state: store.list(storage) };
  const wanted = parseVersion(version);
  // From the watch cache, which knows no pages.
  if (wanted === 0) {
    const shown = faults.staleVersion ?? store.revision;
    return { ...latest, version: shown, state: store.list(storage, faults.staleVersion), limit: 0 };
  }
  if (wanted > store.revision) throw tooLargeVersion(wanted, store.revision);
  const isExact = match === 'Exact' || (match === '' && limit > 0);
  return isExact
    ? { ...latest, version: wanted, state: store.list(storage, wanted) }
    : { ...latest, state: store.list(storage) };
}

/** The next page of the state that the first page showed; of the latest state if the token asks for it. */
function continued(
  store: Store,
  storage: string,
  { token, limit }: { token: string; limit: number },
): Page {
  const { version, after } = decodeToken(token);
  if (version === 0) return { state: store.list(storage), version: store.revision, after, limit };
  try {
    return { state: store.list(storage, version), version, after, limit };
  } catch (error) {
    if (!(error instanceof ApiError) || error.fields.code !== 410) throw error;
    const message =
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
      'the continue parameter, or use the continue token in this response to retrieve the remainder of the results.';
    throw expired(message, { continue: encodeToken({ version: 0, after }) });
  }
}

function cut(
  page: Page,
  selects: Selector,
  isSelecting: boolean,
): { items: Stored[]; metadata: Json } {
  const rest = page.state.filter((stored) => stored.key > page.after && selects(stored));
  const isWhole = page.limit === 0 || rest.length <= page.limit;
  const items = isWhole ? rest : rest.slice(0, page.limit);
  const metadata: Json = { resourceVersion: String(page.version) };
  if (!isWhole) {
    metadata['continue'] = encodeToken({ version: page.version, after: items.at(-1)?.key ?? '' });
    // Nobody counts what a selector would leave.
    if (!isSelecting) metadata['remainingItemCount'] = rest.length - items.length;
  }
  return { items, metadata };
}

function hasSelector(query: URLSearchParams): boolean {
  return Boolean(query.get('labelSelector') || query.get('fieldSelector'));
}

function* listPieces(
  resource: Resource,
  items: Iterable<Stored>,
  metadata: Json,
): Generator<string> {
  const head = JSON.stringify({
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata,
  });
  yield `${head.slice(0, -1)},"items":[`;
  let separator = '';
  for (const stored of items) {
    yield separator;
    yield itemText(resource, stored);
    separator = ',';
  }
  yield ']}\n';
}

interface Token {
  /** 0 for the latest state. */
  readonly version: number;
  readonly after: string;
}

function encodeToken({ version, after }: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start: after })).toString(
    'base64url',
  );
}

function decodeToken(token: string): Token {
  const parts = /^\{"v":"meta.k8s.io\/v1","rv":(\d+),"start":"(.+)"\}$/.exec(
    Buffer.from(token, 'base64url').toString(),
  );
  if (parts === null) throw badRequest('continue key is not valid');
  return { version: Number(parts[1]), after: parts[2] ?? '' };
}
