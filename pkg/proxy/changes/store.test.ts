import { describe, expect, test } from 'vitest';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import type { EndpointSlice, Service } from '../../kube/types.ts';
import { Store } from './store.ts';

function stand() {
  let now = 0;
  const store = new Store(() => now);
  const set = (object: Service) =>
    store.apply({ type: 'set', kind: 'Service', object, problems: [] });
  const setSlice = (object: EndpointSlice) =>
    store.apply({ type: 'set', kind: 'EndpointSlice', object, problems: [] });
  const remove = (kind: 'Service' | 'EndpointSlice', name: string) =>
    store.apply({ type: 'delete', kind, name: { namespace: 'shop', name } });
  const dirty = () => [...store.takeDirty().services];
  const vanished = () =>
    [...(store.objects('shop/web')?.vanished ?? [])].flatMap(({ endpoints }) =>
      endpoints.map(({ address }) => address),
    );
  const pass = (milliseconds: number) => {
    now += milliseconds;
    store.expire();
    return store.nextExpiry;
  };
  /** Time passes, and nobody asks the store for anything. */
  const wait = (milliseconds: number) => (now += milliseconds);
  return { store, set, setSlice, remove, dirty, vanished, pass, wait };
}

describe('the store', () => {
  test('a change marks its own Service and nothing else', () => {
    const { set, setSlice, remove, dirty } = stand();
    set(service());
    set(service({ name: 'db' }));
    expect(dirty()).toEqual(['shop/web', 'shop/db']);
    setSlice(slice([endpoint('10.0.0.1')]));
    expect(dirty()).toEqual(['shop/web']);
    remove('Service', 'db');
    expect(dirty()).toEqual(['shop/db']);
    remove('Service', 'unknown');
    expect(dirty()).toEqual([]);
  });

  test('slices that come before their Service wait for it', () => {
    const { store, set, setSlice } = stand();
    setSlice(slice([endpoint('10.0.0.1')]));
    expect(store.objects('shop/web')).toBeUndefined();
    set(service());
    expect([...(store.objects('shop/web')?.slices ?? [])].length).toBe(1);
  });

  test('a slice that changes its Service leaves the old one', () => {
    const { store, set, setSlice, dirty } = stand();
    set(service());
    setSlice(slice([endpoint('10.0.0.1')]));
    dirty();
    setSlice(slice([endpoint('10.0.0.1')], { serviceName: 'db' }));
    expect(dirty()).toEqual(['shop/web', 'shop/db']);
    expect([...(store.objects('shop/web')?.slices ?? [])]).toEqual([]);
  });

  test('an endpoint that leaves its slice is remembered for half a second, and then its Service is dirty again', () => {
    const { set, setSlice, vanished, pass, dirty } = stand();
    set(service());
    setSlice(slice([endpoint('10.0.0.1'), endpoint('10.0.0.2')]));
    setSlice(slice([endpoint('10.0.0.1')]));
    expect(vanished()).toEqual(['10.0.0.2']);
    dirty();
    expect(pass(499)).toBe(500);
    expect([dirty(), vanished()]).toEqual([[], ['10.0.0.2']]);
    expect(pass(1)).toBe(Number.POSITIVE_INFINITY);
    expect([dirty(), vanished()]).toEqual([['shop/web'], []]);
  });

  test('so is one whose slice is deleted', () => {
    const { set, setSlice, remove, vanished } = stand();
    set(service());
    setSlice(slice([endpoint('10.0.0.1')]));
    remove('EndpointSlice', 'web-1');
    expect(vanished()).toEqual(['10.0.0.1']);
  });

  test('endpoints that left do not pile up while nobody asks for what changed', () => {
    const { set, setSlice, vanished, wait } = stand();
    set(service());
    for (let pod = 1; pod <= 100; pod++) {
      setSlice(slice([endpoint(`10.0.0.${pod}`)]));
      wait(200);
    }
    expect(vanished()).toEqual(['10.0.0.97', '10.0.0.98', '10.0.0.99']);
  });

  test('one that stands in another slice already never vanished', () => {
    const { set, setSlice, vanished } = stand();
    set(service());
    setSlice(slice([endpoint('10.0.0.1')]));
    setSlice(slice([endpoint('10.0.0.1')], { name: 'web-2' }));
    setSlice(slice([]));
    expect(vanished()).toEqual([]);
  });

  test('what triggered a change of a slice is handed over once, with the family', () => {
    const { store, setSlice } = stand();
    setSlice(slice([], { triggerTime: 7 }));
    setSlice(slice([], { triggerTime: 8, name: 'web-6', family: 'IPv6' }));
    expect(store.takeDirty().triggers).toEqual([
      { family: 'IPv4', time: 7 },
      { family: 'IPv6', time: 8 },
    ]);
    expect(store.takeDirty().triggers).toEqual([]);
  });

  test('a slice that comes again for another reason was not triggered again', () => {
    const { store, setSlice } = stand();
    setSlice(slice([], { triggerTime: 7 }));
    store.takeDirty();
    setSlice(slice([endpoint('10.0.0.1')], { triggerTime: 7 }));
    expect(store.takeDirty().triggers).toEqual([]);
  });

  test('a change that was caused before the start has no trigger', () => {
    const store = new Store(() => 0, { startTime: 1_000 });
    for (const triggerTime of [0, 999, 1_000, 1_001]) {
      const object = slice([], { name: `web-${triggerTime}`, triggerTime });
      store.apply({ type: 'set', kind: 'EndpointSlice', object, problems: [] });
    }
    expect(store.takeDirty().triggers).toEqual([{ family: 'IPv4', time: 1_001 }]);
  });

  test('triggers that nobody takes are not gathered without end', () => {
    const { store, setSlice } = stand();
    for (let time = 1; time <= 10_002; time++) setSlice(slice([], { triggerTime: time }));
    expect(store.takeDirty().triggers).toHaveLength(10_000);
  });
});
