import type { Json, KubeObject } from './objects.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { objectOf, type Stored } from './store.ts';

/** core/v1's name of a field, and that of events.k8s.io/v1. */
const fields: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

const toCore = new Map(fields.map(([core, events]) => [events, core]));
const toEvents = new Map(fields);

/** The object in the form that it is stored in: an Event of events.k8s.io as one of core/v1, all else as it is. */
export function fromView(object: KubeObject): KubeObject {
  if (object.apiVersion !== 'events.k8s.io/v1') return object;
  return { ...rename(object, toCore), apiVersion: 'v1' } as KubeObject; // only other fields were renamed
}

/** The JSON text of a stored object as a resource shows it. */
export function viewText(resource: Resource, stored: Stored): string {
  if (resource.group !== 'events.k8s.io') return stored.text;
  const { kind, apiVersion: _, ...rest } = objectOf(stored);
  return JSON.stringify({ kind, apiVersion: apiVersionOf(resource), ...rename(rest, toEvents) });
}

/** The text without `kind` and `apiVersion`: the items of a list do not have them. */
export function itemText(resource: Resource, stored: Stored): string {
  const head = `{"kind":"${resource.kind}","apiVersion":"${apiVersionOf(resource)}",`;
  return `{${viewText(resource, stored).slice(head.length)}`;
}

function rename(object: Json, names: ReadonlyMap<string, string>): Json {
  return Object.fromEntries(
    Object.entries(object).map(([field, value]) => [names.get(field) ?? field, value]),
  );
}
