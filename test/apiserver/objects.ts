/** `metadata` of an object. */
export interface ObjectMeta {
  name?: string | undefined;
  namespace?: string | undefined;
  generateName?: string | undefined;
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  creationTimestamp?: string | undefined;
  deletionTimestamp?: string | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  finalizers?: string[] | undefined;
  [field: string]: unknown;
}

/** An object as the API carries it; nothing below `metadata` is promised to have the right type. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** JSON's object. */
export type Json = Record<string, unknown>;

/** Whether a value is an object with fields: no array, no null. */
export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path such as `spec.clusterIP`, or `undefined` wherever the path ends early. */
export function valueAt(value: unknown, path: string): unknown {
  let current = value;
  for (const field of path.split('.')) {
    if (!isRecord(current)) return undefined;
    current = current[field];
  }
  return current;
}

/** The object at a path, or an empty one. */
export function recordAt(value: unknown, path: string): Json {
  const found = valueAt(value, path);
  return isRecord(found) ? found : {};
}

/** The objects in the list at a path; whatever else the list holds is left out. */
export function recordsAt(value: unknown, path: string): Json[] {
  return listAt(value, path).filter(isRecord);
}

/** The list at a path, or an empty one. */
export function listAt(value: unknown, path: string): unknown[] {
  const found = valueAt(value, path);
  return Array.isArray(found) ? found : [];
}

/** The text at a path, or '' where there is none; numbers and booleans are printed. */
export function textAt(value: unknown, path: string): string {
  const found = valueAt(value, path);
  return typeof found === 'string'
    ? found
    : typeof found === 'number' || typeof found === 'boolean'
      ? String(found)
      : '';
}

/** Whether two JSON values are the same, whatever the order of their fields; an undefined field is no field. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => isSame(value, other[index]));
  }
  if (!isRecord(one) || !isRecord(other)) return false;
  return Object.keys({ ...one, ...other }).every((field) => isSame(one[field], other[field]));
}
