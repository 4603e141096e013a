import { isRecord, isSame, type Json } from './objects.ts';

/** By which field the items of a list are distinguished, by kind and path; '' for a list of plain values that is a set. */
const mergeKeys: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Service: { 'spec.ports': 'port', 'status.conditions': 'type' },
  Node: {
    'spec.podCIDRs': '',
    'spec.taints': 'key',
    'status.addresses': 'type',
    'status.conditions': 'type',
  },
  Pod: {
    'spec.containers': 'name',
    'spec.containers.ports': 'containerPort',
    'spec.containers.env': 'name',
    'spec.volumes': 'name',
    'spec.tolerations': 'key',
    'status.conditions': 'type',
    'status.podIPs': 'ip',
  },
};

const metadataKeys: Readonly<Record<string, string>> = {
  'metadata.finalizers': '',
  'metadata.ownerReferences': 'uid',
};

/**
 * Kubernetes' strategic merge patch: like RFC 7386, but lists that have a merge key are merged item by item, and
 * directives (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) say what to do.
 */
export function strategicMerge(
  kind: string,
  { target, patch }: { target: unknown; patch: unknown },
): unknown {
  return mergeValue(target, patch, { keys: { ...mergeKeys[kind], ...metadataKeys }, path: '' });
}

/** Where in the object we are. */
interface Place {
  readonly keys: Readonly<Record<string, string>>;
  readonly path: string;
}

function mergeValue(target: unknown, patch: unknown, place: Place): unknown {
  if (isRecord(patch)) return mergeRecord(isRecord(target) ? target : {}, patch, place);
  const key = place.keys[place.path];
  if (!Array.isArray(patch) || key === undefined) return patch;
  const items = Array.isArray(target) ? target : [];
  return key === '' ? union(items, patch) : mergeItems(items, patch, { ...place, key });
}

function mergeRecord(target: Json, patch: Json, place: Place): Json {
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return {};
  const result: Json = { ...target };
  const retained = patch['$retainKeys'];
  if (Array.isArray(retained)) {
    for (const field of Object.keys(result)) if (!retained.includes(field)) delete result[field];
  }
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$')) continue;
    const path = place.path === '' ? field : `${place.path}.${field}`;
    if (value === null) delete result[field];
    else result[field] = mergeValue(result[field], value, { ...place, path });
  }
  for (const [field, value] of Object.entries(patch))
    obeyListDirective(result, { field, value }, place);
  return result;
}

function obeyListDirective(
  result: Json,
  { field, value }: { field: string; value: unknown },
  place: Place,
): void {
  const [directive, name = ''] = field.split('/');
  const list = result[name];
  if (!Array.isArray(list) || !Array.isArray(value)) return;
  if (directive === '$deleteFromPrimitiveList') {
    result[name] = list.filter((item) => !value.includes(item));
  }
  if (directive === '$setElementOrder') {
    const key = place.keys[place.path === '' ? name : `${place.path}.${name}`] ?? '';
    const rank = (item: unknown) => {
      const at = value.findIndex((other) =>
        key === '' ? isSame(other, item) : isKeyed(other, key, item),
      );
      return at < 0 ? value.length : at;
    };
    result[name] = list.toSorted((one, other) => rank(one) - rank(other));
  }
}

function mergeItems(
  target: readonly unknown[],
  patch: readonly unknown[],
  place: Place & { key: string },
): unknown[] {
  if (patch.some((item) => isRecord(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !isRecord(item) || item['$patch'] !== 'replace');
  }
  let result = [...target];
  for (const item of patch) {
    const at = result.findIndex((other) => isKeyed(other, place.key, item));
    if (isRecord(item) && item['$patch'] === 'delete')
      result = result.filter((other) => !isKeyed(other, place.key, item));
    else if (at < 0) result.push(isRecord(item) ? withoutDirectives(item) : item);
    else result[at] = mergeValue(result[at], item, place);
  }
  return result;
}

function isKeyed(one: unknown, key: string, other: unknown): boolean {
  return isRecord(one) && isRecord(other) && isSame(one[key], other[key]);
}

function union(target: readonly unknown[], patch: readonly unknown[]): unknown[] {
  return [...target, ...patch.filter((item) => !target.some((other) => isSame(other, item)))];
}

function withoutDirectives(value: Json): Json {
  return Object.fromEntries(
    Object.entries(value).filter(([field, inner]) => !field.startsWith('$') && inner !== null),
  );
}
