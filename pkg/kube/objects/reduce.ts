import type { Change, Kind, ObjectName } from '../types.ts';
import { Fields, isObject, Problems } from './fields.ts';
import { foreignLabels } from './names.ts';
import { Pool } from './pool.ts';
import { reduceNode } from './reduce-node.ts';
import { reduceService } from './reduce-service.ts';
import { reduceSlice } from './reduce-slice.ts';

const longestMessage = 200;

/**
 * Turns an object from the API or a file into a change. Never throws: invalid fields are left out and listed as problems with their
 * paths. An object that is not ours (an EndpointSlice of host names, one without a Service) becomes a `delete`, as it may have been
 * ours before.
 */
export class Reducer {
  readonly #pool = new Pool();

  /** The change for an object. */
  change(kind: Kind, raw: unknown): Change {
    try {
      return this.#change(kind, raw);
    } catch (error) {
      // An unexpected exception: the object's last good state stays valid.
      const { namespace = '', name = '' } = nameOf(raw) ?? {};
      const message = `could not be read: ${error instanceof Error ? error.message : 'for no reason given'}`;
      const problems = [{ field: '', message: message.slice(0, longestMessage) }];
      return { type: 'unusable', kind, name: { namespace, name }, problems };
    }
  }

  #change(kind: Kind, raw: unknown): Change {
    const problems = new Problems();
    const fields = Fields.of(raw, problems);
    const named = nameOf(raw);
    const name = { namespace: this.#pool.text(named?.namespace ?? ''), name: named?.name ?? '' };
    if (named === undefined) problems.add('metadata.name', 'is missing');
    if (problems.list().length > 0)
      return { type: 'unusable', kind, name, problems: problems.list() };
    const object = this.#reduce(kind, { fields, name });
    if (object === 'ignored') return { type: 'delete', kind, name };
    if (object === 'unusable') return { type: 'unusable', kind, name, problems: problems.list() };
    return { type: 'set', ...object, problems: problems.list() };
  }

  #reduce(kind: Kind, { fields, name }: { fields: Fields; name: ObjectName }): Reduced {
    const pool = this.#pool;
    switch (kind) {
      case 'Service': {
        const object = reduceService(fields, { name, pool });
        return typeof object === 'string' ? object : { kind, object };
      }
      case 'EndpointSlice': {
        const object = reduceSlice(fields, { name, pool });
        return typeof object === 'string' ? object : { kind, object };
      }
      case 'Node':
        return { kind, object: reduceNode(fields, { name: name.name, pool }) };
    }
  }
}

/** A `set` change without the properties that all have in common. */
type Bare<C> = C extends { type: 'set'; kind: infer K; object: infer O }
  ? { kind: K; object: O }
  : never;
type Reduced = Bare<Change> | 'ignored' | 'unusable';

/** The name of an object; `undefined` if it has none. */
export function nameOf(raw: unknown): ObjectName | undefined {
  const metadata = isObject(raw) ? raw['metadata'] : undefined;
  if (!isObject(metadata)) return undefined;
  const { name, namespace } = metadata as { name?: unknown; namespace?: unknown };
  if (typeof name !== 'string' || name === '') return undefined;
  return { namespace: typeof namespace === 'string' ? namespace : '', name };
}

/** The resource version of an object or a list; '' if it has none. */
export function versionOf(raw: unknown): string {
  const metadata = isObject(raw) ? raw['metadata'] : undefined;
  const version = isObject(metadata) ? metadata['resourceVersion'] : undefined;
  return typeof version === 'string' ? version : '';
}

/** Whether a label assigns the object to another proxy. */
export function isForeign(raw: unknown): boolean {
  const metadata = isObject(raw) ? raw['metadata'] : undefined;
  const labels = isObject(metadata) ? metadata['labels'] : undefined;
  return isObject(labels) && foreignLabels.some((label) => Object.hasOwn(labels, label));
}
