import { viewText } from './event-views.ts';
import { type Json, type KubeObject, listAt, recordAt, recordsAt, textAt } from './objects.ts';
import type { Resource } from './resources.ts';
import { objectOf, type Stored } from './store.ts';

/** A column of the table that `kubectl get` prints; a wide one only with `-o wide`. */
interface Column {
  readonly name: string;
  readonly isWide?: boolean;
  readonly cell: (object: KubeObject, now: number) => string | number;
}

const none = '<none>';
const name: Column = { name: 'Name', cell: (object) => textAt(object, 'metadata.name') };
const age: Column = {
  name: 'Age',
  cell: (object, now) => since(textAt(object, 'metadata.creationTimestamp'), now),
};

const columns: Readonly<Record<string, readonly Column[]>> = {
  services: [
    name,
    { name: 'Type', cell: (service) => textAt(service, 'spec.type') },
    { name: 'Cluster-IP', cell: (service) => textAt(service, 'spec.clusterIP') || none },
    { name: 'External-IP', cell: externalIPs },
    {
      name: 'Port(s)',
      cell: (service) => recordsAt(service, 'spec.ports').map(servicePort).join(',') || none,
    },
    age,
    {
      name: 'Selector',
      isWide: true,
      cell: (service) => printMap(recordAt(service, 'spec.selector')),
    },
  ],
  endpointslices: [
    name,
    { name: 'AddressType', cell: (slice) => textAt(slice, 'addressType') },
    {
      name: 'Ports',
      cell: (slice) =>
        printSome(recordsAt(slice, 'ports').map((port) => textAt(port, 'port') || '*')),
    },
    {
      name: 'Endpoints',
      cell: (slice) =>
        printSome(
          recordsAt(slice, 'endpoints').map((endpoint) => listAt(endpoint, 'addresses').join(',')),
        ),
    },
    age,
  ],
  nodes: [
    name,
    { name: 'Status', cell: nodeStatus },
    { name: 'Roles', cell: nodeRoles },
    age,
    { name: 'Version', cell: (node) => textAt(node, 'status.nodeInfo.kubeletVersion') },
    { name: 'Internal-IP', isWide: true, cell: (node) => nodeAddress(node, 'InternalIP') },
    { name: 'External-IP', isWide: true, cell: (node) => nodeAddress(node, 'ExternalIP') },
  ],
  events: [
    {
      name: 'Last Seen',
      cell: (event, now) =>
        since(
          textAt(event, 'lastTimestamp') ||
            textAt(event, 'eventTime') ||
            textAt(event, 'metadata.creationTimestamp'),
          now,
        ),
    },
    { name: 'Type', cell: (event) => textAt(event, 'type') },
    { name: 'Reason', cell: (event) => textAt(event, 'reason') },
    {
      name: 'Object',
      cell: (event) =>
        `${textAt(event, 'involvedObject.kind').toLowerCase()}/${textAt(event, 'involvedObject.name')}`,
    },
    { name: 'Message', cell: (event) => textAt(event, 'message').trim() },
  ],
  pods: [
    name,
    { name: 'Ready', cell: podReady },
    {
      name: 'Status',
      cell: (pod) =>
        textAt(pod, 'metadata.deletionTimestamp') ? 'Terminating' : textAt(pod, 'status.phase'),
    },
    age,
    { name: 'IP', isWide: true, cell: (pod) => textAt(pod, 'status.podIP') || none },
    { name: 'Node', isWide: true, cell: (pod) => textAt(pod, 'spec.nodeName') || none },
  ],
  namespaces: [
    name,
    { name: 'Status', cell: (namespace) => textAt(namespace, 'status.phase') },
    age,
  ],
};

/** How a Table is made. */
export interface TableOptions {
  /** Of a list; '' for single objects. */
  readonly metadata: Json;
  /** Which part of each object the rows carry; the query parameter `includeObject`. */
  readonly include: string;
  /** Milliseconds since 1970, for ages. */
  readonly now: number;
}

/** The pieces of a Table, meta.k8s.io/v1, with a row for each object. */
export function* tablePieces(
  resource: Resource,
  rows: Iterable<Stored>,
  options: TableOptions,
): Generator<string> {
  const shown = columns[resource.storage] ?? [name, age];
  const columnDefinitions = shown.map((column) => ({
    name: column.name,
    type: 'string',
    format: column === name ? 'name' : '',
    description: '',
    priority: column.isWide ? 1 : 0,
  }));
  const head = JSON.stringify({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions,
  });
  yield `${head.slice(0, -1)},"rows":[`;
  let separator = '';
  for (const stored of rows) {
    const object = objectOf(stored);
    const cells = JSON.stringify(shown.map((column) => column.cell(object, options.now)));
    yield `${separator}{"cells":${cells},"object":${objectText(resource, { stored, object, include: options.include })}}`;
    separator = ',';
  }
  yield ']}\n';
}

function objectText(
  resource: Resource,
  row: { stored: Stored; object: KubeObject; include: string },
): string {
  if (row.include === 'Object') return viewText(resource, row.stored);
  if (row.include === 'None') return 'null';
  return JSON.stringify({
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: row.object.metadata,
  });
}

/** As people read ages: `45s`, `3m20s`, `2h5m`, `4d`. */
function since(timestamp: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(timestamp)) / 1000));
  if (Number.isNaN(seconds)) return '<unknown>';
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600);
  const days = Math.floor(seconds / 86_400);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  return hours < 48 ? `${hours}h` : `${days}d`;
}

function externalIPs(service: KubeObject): string {
  if (textAt(service, 'spec.type') === 'ExternalName')
    return textAt(service, 'spec.externalName') || none;
  const ingress = recordsAt(service, 'status.loadBalancer.ingress').map(
    (point) => textAt(point, 'ip') || textAt(point, 'hostname'),
  );
  const all = [...ingress, ...listAt(service, 'spec.externalIPs').map(String)];
  return all.join(',') || (textAt(service, 'spec.type') === 'LoadBalancer' ? '<pending>' : none);
}

function servicePort(port: Json): string {
  const nodePort = textAt(port, 'nodePort');
  return `${textAt(port, 'port')}${nodePort && nodePort !== '0' ? `:${nodePort}` : ''}/${textAt(port, 'protocol')}`;
}

function nodeStatus(node: KubeObject): string {
  const ready = recordsAt(node, 'status.conditions').find(
    (condition) => condition['type'] === 'Ready',
  );
  const status =
    ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return recordAt(node, 'spec')['unschedulable'] === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const labels = Object.keys(recordAt(node, 'metadata.labels')).filter((label) =>
    label.startsWith(prefix),
  );
  return labels.map((label) => label.slice(prefix.length)).join(',') || none;
}

function nodeAddress(node: KubeObject, type: string): string {
  const found = recordsAt(node, 'status.addresses').find((address) => address['type'] === type);
  return found === undefined ? none : textAt(found, 'address');
}

function podReady(pod: KubeObject): string {
  const ready = recordsAt(pod, 'status.containerStatuses').filter(
    (container) => container['ready'] === true,
  ).length;
  return `${ready}/${listAt(pod, 'spec.containers').length}`;
}

function printMap(map: Json): string {
  return (
    Object.entries(map)
      .map(([key, value]) => `${key}=${String(value)}`)
      .join(',') || none
  );
}

function printSome(values: readonly string[]): string {
  if (values.length === 0) return '<unset>';
  return values.length <= 3
    ? values.join(',')
    : `${values.slice(0, 3).join(',')} + ${values.length - 3} more...`;
}
