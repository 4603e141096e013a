/** One kind of object in one group and version, as discovery describes it. */
export interface Resource {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
  readonly shortNames: readonly string[];
  /** Under which name its objects are kept; the two kinds of Event share one. */
  readonly storage: string;
  /** Whether `status` is written through a path of its own, and what a create does with it. */
  readonly status: 'none' | 'dropped on create' | 'kept on create';
  /** What a field selector may ask for, beside the name and the namespace. */
  readonly selectableFields: readonly string[];
}

const eventFields = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
];

const core = {
  group: '',
  version: 'v1',
  isNamespaced: true,
  status: 'none',
  selectableFields: [],
  shortNames: [],
} as const;

/** Every resource that is served. */
export const resources: readonly Resource[] = [
  {
    ...core,
    plural: 'namespaces',
    singular: 'namespace',
    kind: 'Namespace',
    isNamespaced: false,
    shortNames: ['ns'],
    storage: 'namespaces',
    status: 'dropped on create',
    selectableFields: ['status.phase'],
  },
  {
    ...core,
    plural: 'nodes',
    singular: 'node',
    kind: 'Node',
    isNamespaced: false,
    shortNames: ['no'],
    storage: 'nodes',
    status: 'kept on create',
    selectableFields: ['spec.unschedulable'],
  },
  {
    ...core,
    plural: 'services',
    singular: 'service',
    kind: 'Service',
    shortNames: ['svc'],
    storage: 'services',
    status: 'dropped on create',
    selectableFields: ['spec.clusterIP', 'spec.type'],
  },
  {
    ...core,
    plural: 'pods',
    singular: 'pod',
    kind: 'Pod',
    shortNames: ['po'],
    storage: 'pods',
    status: 'dropped on create',
    selectableFields: [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.serviceAccountName',
      'status.phase',
      'status.podIP',
    ],
  },
  {
    ...core,
    plural: 'events',
    singular: 'event',
    kind: 'Event',
    shortNames: ['ev'],
    storage: 'events',
    selectableFields: eventFields,
  },
  {
    ...core,
    group: 'events.k8s.io',
    plural: 'events',
    singular: 'event',
    kind: 'Event',
    shortNames: ['ev'],
    storage: 'events',
    selectableFields: eventFields,
  },
  {
    ...core,
    group: 'discovery.k8s.io',
    plural: 'endpointslices',
    singular: 'endpointslice',
    kind: 'EndpointSlice',
    storage: 'endpointslices',
  },
  {
    ...core,
    group: 'coordination.k8s.io',
    plural: 'leases',
    singular: 'lease',
    kind: 'Lease',
    storage: 'leases',
  },
];

/** `v1` or `discovery.k8s.io/v1`. */
export function apiVersionOf({ group, version }: Pick<Resource, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `services` or `endpointslices.discovery.k8s.io`, as messages name a resource. */
export function qualifiedName({ group, plural }: Resource): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The resource of a kind; the core group's where two groups have the kind and no `apiVersion` is given. */
export function resourceOfKind(kind: string, apiVersion?: string): Resource | undefined {
  return resources.find(
    (resource) =>
      resource.kind === kind && (apiVersion === undefined || apiVersionOf(resource) === apiVersion),
  );
}

/** The resource whose form the objects of a storage are kept in: the first one of the table. */
export function storedAs(storage: string): Resource {
  const found = resources.find((resource) => resource.storage === storage);
  if (found === undefined) throw new Error(`nothing is stored as ${storage}`);
  return found;
}
