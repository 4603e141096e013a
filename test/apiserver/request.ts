import { type Resource, resources } from './resources.ts';

/** What a request wants, in the words of Kubernetes' authorization; 'other' for everything that is no object. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'other';

/** The verb, path and query of a request. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly verb: Verb;
  /** Of the objects that are meant; `undefined` exactly when the verb is 'other'. */
  readonly resource: Resource | undefined;
  /** '' for all namespaces, and for what has none. */
  readonly namespace: string;
  readonly name: string;
  /** `status`, or '' for the object itself. */
  readonly subresource: string;
}

/** Which requests are meant: those that agree in every field that is given. */
export interface RequestMatch {
  readonly verb?: Verb;
  /** Plural: `services`. */
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** The beginning of the path. */
  readonly path?: string;
}

/** Whether a request is meant. */
export function matches(
  request: ApiRequest,
  match: RequestMatch | ((request: ApiRequest) => boolean),
): boolean {
  if (typeof match === 'function') return match(request);
  const { verb, resource, namespace, name, path } = match;
  return (
    (verb === undefined || request.verb === verb) &&
    (resource === undefined || request.resource?.plural === resource) &&
    (namespace === undefined || request.namespace === namespace) &&
    (name === undefined || request.name === name) &&
    (path === undefined || request.path.startsWith(path))
  );
}

/** Reads the first line of a request. */
export function parseRequest(method: string, url: string): ApiRequest {
  const { pathname: path, searchParams: query } = new URL(url, 'http://apiserver');
  const place = parsePath(path);
  const verb = place.resource === undefined ? 'other' : verbOf(method, query, place.name !== '');
  return { method, path, query, verb, ...place };
}

/** Whether a query parameter is true, by the rules of Go's strconv. */
export function isTrue(query: URLSearchParams, parameter: string): boolean {
  return ['1', 't', 'true', 'True', 'TRUE'].includes(query.get(parameter) ?? '');
}

function verbOf(method: string, query: URLSearchParams, isNamed: boolean): Verb {
  if (method === 'GET' || method === 'HEAD')
    return isTrue(query, 'watch') ? 'watch' : isNamed ? 'get' : 'list';
  if (method === 'POST') return 'create';
  if (method === 'PUT') return 'update';
  if (method === 'PATCH') return 'patch';
  if (method === 'DELETE' && isNamed) return 'delete';
  return 'other';
}

/** `/api/v1/…` or `/apis/GROUP/VERSION/…`, then `[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE]]`. */
function parsePath(
  path: string,
): Pick<ApiRequest, 'resource' | 'namespace' | 'name' | 'subresource'> {
  const none = { resource: undefined, namespace: '', name: '', subresource: '' };
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const isCore = parts[0] === 'api';
  if (!isCore && parts[0] !== 'apis') return none;
  const [group = '', version = ''] = isCore ? ['', parts[1]] : parts.slice(1, 3);
  const rest = parts.slice(isCore ? 2 : 3);
  const find = (plural: string | undefined) =>
    resources.find(
      (known) => known.group === group && known.version === version && known.plural === plural,
    );
  const inner = find(rest[2]);
  if (rest[0] === 'namespaces' && inner?.isNamespaced) {
    const [, namespace = '', , name = '', subresource = ''] = rest;
    return { resource: inner, namespace, name, subresource };
  }
  const [plural, name = '', subresource = ''] = rest;
  const resource = find(plural);
  return resource === undefined ? none : { resource, namespace: '', name, subresource };
}
