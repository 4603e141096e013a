import { isRecord, type Json, type KubeObject, recordAt, recordsAt, textAt } from './objects.ts';

/** Fills in the fields that a server fills in without looking at anything else; wrong types are left as they are. */
export function fillDefaults(object: KubeObject): void {
  if (object.kind === 'Service') fillService(object);
  if (object.kind === 'EndpointSlice') fillPorts(object['ports'], { name: '', protocol: 'TCP' });
  if (object.kind === 'Namespace') fillNamespace(object);
}

/** The `status` that an object starts with. */
export function firstStatus(kind: string): Json {
  if (kind === 'Service') return { loadBalancer: {} };
  if (kind === 'Namespace') return { phase: 'Active' };
  return kind === 'Pod' ? { phase: 'Pending' } : {};
}

function fillService(service: KubeObject): void {
  fill(service, { spec: {} });
  const spec = service['spec'];
  if (!isRecord(spec)) return;
  fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
  if (spec['sessionAffinity'] === 'ClientIP') {
    fill(spec, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } });
  }
  const type = spec['type'];
  if (type !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster' });
  if (type === 'NodePort' || type === 'LoadBalancer')
    fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (type === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true });
  fillPorts(spec['ports'], { protocol: 'TCP' });
  for (const port of recordsAt(spec, 'ports')) fill(port, { targetPort: port['port'] });
}

function fillPorts(ports: unknown, defaults: Json): void {
  for (const port of recordsAt({ ports }, 'ports')) fill(port, defaults);
}

function fillNamespace(namespace: KubeObject): void {
  fill(namespace, { spec: { finalizers: ['kubernetes'] } });
  const labels = recordAt(namespace, 'metadata.labels');
  namespace.metadata.labels = {
    ...labels,
    'kubernetes.io/metadata.name': textAt(namespace, 'metadata.name'),
  };
}

function fill(target: Json, defaults: Json): void {
  for (const [field, value] of Object.entries(defaults)) {
    if (target[field] === undefined || target[field] === null) target[field] = value;
  }
}
