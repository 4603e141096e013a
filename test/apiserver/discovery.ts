import type { Json } from './objects.ts';
import { apiVersionOf, type Resource, resources } from './resources.ts';

const version = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0',
  gitCommit: 'unknown',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};

/**
 * The smallest OpenAPI v2 document in protobuf, the only form that clients read: `swagger: "2.0"`. With no
 * definitions in it, a client that checks objects by itself finds nothing to complain about.
 */
export const openApiV2 = Uint8Array.from([0x0a, 0x03, 0x32, 0x2e, 0x30]);

/** The discovery document at a path, or `undefined` if there is none. */
export function discover(path: string): Json | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  if (path === '/version') return version;
  if (path === '/api')
    return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/apis')
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups().map(describeGroup) };
  if (path === '/openapi/v3') return openApiIndex();
  if (parts[0] === 'openapi' && parts[1] === 'v3') return openApi(parts.slice(2).join('/'));
  if (parts[0] === 'apis' && parts.length === 2)
    return groups().includes(parts[1] ?? '') ? group(parts[1] ?? '') : undefined;
  return resourceList(path.slice(1));
}

/** The groups that have a name. */
function groups(): string[] {
  return [...new Set(resources.map(({ group: name }) => name))].filter((name) => name !== '');
}

function group(name: string): Json {
  return { kind: 'APIGroup', apiVersion: 'v1', ...describeGroup(name) };
}

function describeGroup(name: string): Json {
  const preferred = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [preferred], preferredVersion: preferred };
}

function resourceList(root: string): Json | undefined {
  const served = resources.filter((resource) => rootOf(resource) === root);
  const [first] = served;
  if (first === undefined) return undefined;
  const described = served.flatMap((resource) => [
    describe(resource),
    ...(resource.status === 'none' ? [] : [statusOf(resource)]),
  ]);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(first),
    resources: described,
  };
}

function describe(resource: Resource): Json {
  const { plural, singular, isNamespaced, kind, shortNames } = resource;
  const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
  const names = shortNames.length === 0 ? {} : { shortNames };
  const categories = plural === 'services' || plural === 'pods' ? { categories: ['all'] } : {};
  return {
    name: plural,
    singularName: singular,
    namespaced: isNamespaced,
    kind,
    verbs,
    ...names,
    ...categories,
  };
}

function statusOf({ plural, isNamespaced, kind }: Resource): Json {
  return {
    name: `${plural}/status`,
    singularName: '',
    namespaced: isNamespaced,
    kind,
    verbs: ['get', 'patch', 'update'],
  };
}

function openApiIndex(): Json {
  const roots = [...new Set(resources.map(rootOf))];
  return {
    paths: Object.fromEntries(
      roots.map((root) => [root, { serverRelativeURL: `/openapi/v3/${root}` }]),
    ),
  };
}

/** Says of each kind that the server itself checks fields (`fieldValidation`), which is all that kubectl asks of it. */
function openApi(root: string): Json | undefined {
  const served = resources.filter((resource) => rootOf(resource) === root);
  if (served.length === 0) return undefined;
  const parameters = ['fieldValidation', 'dryRun'].map((name) => ({
    name,
    in: 'query',
    schema: { type: 'string' },
  }));
  const paths = served.map((resource) => {
    const { group: name, version: v, kind } = resource;
    const patch = {
      parameters,
      responses: {},
      'x-kubernetes-group-version-kind': { group: name, version: v, kind },
    };
    const prefix = resource.isNamespaced ? 'namespaces/{namespace}/' : '';
    return [`/${root}/${prefix}${resource.plural}/{name}`, { patch }];
  });
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: version.gitVersion },
    paths: Object.fromEntries(paths),
  };
}

function rootOf(resource: Resource): string {
  return resource.group === '' ? 'api/v1' : `apis/${apiVersionOf(resource)}`;
}
