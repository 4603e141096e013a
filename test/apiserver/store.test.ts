import { describe, expect, it } from 'vitest';
import { resourceOfKind } from './resources.ts';
import { service } from './samples.ts';
import { ApiError } from './status.ts';
import { objectOf, Store } from './store.ts';

const services = resourceOfKind('Service');
if (services === undefined) throw new Error('Services are served');

function storeOf(...names: string[]): Store {
  const store = new Store({ historyLimit: 100 });
  for (const name of names) put(store, name);
  return store;
}

function put(store: Store, name: string, port = 80) {
  return store.put(services!, service(name, { ports: [{ port }] }));
}

function names(store: Store, at?: number): string {
  return store
    .list('services', at)
    .map(({ name, version }) => `${name} ${version}`)
    .join(', ');
}

function codeOf(action: () => unknown): number {
  try {
    action();
    return 200;
  } catch (error) {
    return error instanceof ApiError ? error.fields.code : 0;
  }
}

describe('Store', () => {
  it('gives every change the next version, deletions too', () => {
    const store = storeOf('a', 'b');
    const removed = store.remove(put(store, 'a', 81));
    expect(removed.version).toBe(5);
    expect(objectOf(removed).metadata.resourceVersion).toBe('5');
    expect(names(store)).toBe('b 3');
  });

  it('lists in the order of keys, not of arrival', () => {
    expect(names(storeOf('c', 'a', 'b'))).toBe('a 3, b 4, c 2');
  });

  it('lists the state of a past version: what was added goes, what was changed or deleted comes back', () => {
    const store = storeOf('a', 'b');
    put(store, 'a', 81);
    put(store, 'c');
    const b = store.get('services', 'default/b');
    if (b !== undefined) store.remove(b);
    expect(names(store)).toBe('a 4, c 5');
    expect(names(store, 3)).toBe('a 2, b 3');
    expect(names(store, 2)).toBe('a 2');
  });

  it('tells what happened after a version, in order', () => {
    const store = storeOf('a', 'b');
    put(store, 'a', 81);
    const events = store
      .since(2)
      .map(({ type, version, current }) => `${type} ${current.name} ${version}`);
    expect(events).toEqual(['ADDED b 3', 'MODIFIED a 4']);
    expect(store.since(4)).toEqual([]);
  });

  it('answers 410 for what it has forgotten, and not for the version it forgot up to', () => {
    const store = storeOf('a', 'b', 'c');
    store.compact(3);
    expect(codeOf(() => store.since(2))).toBe(410);
    expect(codeOf(() => store.list('services', 2))).toBe(410);
    expect(store.since(3).map(({ version }) => version)).toEqual([4]);
  });

  it('forgets by itself, but never less than the limit', () => {
    const store = new Store({ historyLimit: 10 });
    for (let count = 0; count < 25; count++) put(store, 'a', count);
    expect(codeOf(() => store.since(2))).toBe(410);
    expect(store.since(store.revision - 10)).toHaveLength(10);
  });

  it('goes back to a backup, version and all', () => {
    const store = storeOf('a');
    const backup = store.backup();
    put(store, 'b');
    store.restore(backup);
    expect(names(store)).toBe('a 2');
    expect(put(store, 'c').version).toBe(3);
  });
});
