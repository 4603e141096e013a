import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isForeign, Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Kind } from '../../pkg/kube/types.ts';
import { FlakyProxy } from '../support/kube/flaky-proxy.ts';
import { Follower, type FollowerOptions, type State } from '../support/kube/follower.ts';
import { type ApiObject, node, service, slice } from '../support/kube/objects.ts';

/** An API server, its own or a real one, with a way to write objects that is not ours. */
export interface KubeClientHarness {
  readonly address: { readonly host: string; readonly port: number };
  /** A kubeconfig for somebody who may do everything, with this address in place of the server's own. */
  kubeconfig(address: string): string;
  /** Creates an object or replaces it. */
  apply(object: ApiObject): Promise<void>;
  /** Deletes an object if it is there. */
  remove(object: ApiObject): Promise<void>;
  /** Every object of a kind as the server gives it. */
  objects(kind: Kind): Promise<unknown[]>;
}

/** Makes an API server; what it starts is on the stack, and ends with the test even if that was given up. */
type Make = (stack: AsyncDisposableStack) => Promise<KubeClientHarness>;

const timeout = 60_000; // ms: only a test that hangs ends so

/** What following an API server is, whichever it is and whatever lies in between. */
export function kubeClientContract(name: string, make: Make): void {
  describe(name, { timeout }, () => {
    let stack: AsyncDisposableStack;
    let stand: Stand;

    beforeEach(async () => {
      stack = new AsyncDisposableStack();
      stand = await Stand.start(make, stack);
    }, timeout);

    afterEach(() => stack.disposeAsync());

    test('everything there is comes before synced, and every change afterwards', async () => {
      const { server } = stand;
      for (const object of [service('a'), slice('a'), node('n1'), node('n2')])
        await server.apply(object);
      const follower = await stand.follow();
      await follower.untilSynced();
      const order = follower.changes.map((change) => `${change.type} ${change.kind}`);
      for (const kind of ['Service', 'EndpointSlice', 'Node']) {
        expect(order.indexOf(`set ${kind}`)).toBeGreaterThanOrEqual(0);
        expect(order.lastIndexOf(`set ${kind}`)).toBeLessThan(order.indexOf(`synced ${kind}`));
      }
      await server.apply(service('b'));
      await server.apply(slice('a', { count: 5 }));
      await server.remove(service('a'));
      await follower.untilKnown('Service default/b');
      await follower.untilKnown('Service default/a', false);
      await stand.untilCurrent(follower);
      expect(Object.keys(follower.state)).not.toContain('Node /n2');
    });

    test('objects that get a label of another proxy leave, and come back without it', async () => {
      const { server } = stand;
      const label = { 'service.kubernetes.io/service-proxy-name': 'other' };
      await server.apply(service('a'));
      await server.apply(service('hidden', 80, label));
      const follower = await stand.follow();
      await follower.untilKnown('Service default/a');
      await server.apply(service('a', 80, label));
      await follower.untilKnown('Service default/a', false);
      await server.apply(service('a', 81));
      await follower.untilKnown('Service default/a');
      await stand.untilCurrent(follower);
      expect(follower.state).not.toHaveProperty(['Service default/hidden']);
    });

    test('a server that is away for a while costs nothing but time', async () => {
      const { server, proxy } = stand;
      for (const object of [service('stays'), service('goes'), slice('stays'), node('n1')])
        await server.apply(object);
      const follower = await stand.follow();
      await stand.untilCurrent(follower);
      const objects = () =>
        follower.changes.filter(({ type }) => type !== 'stale' && type !== 'current');
      const before = objects().length;
      await proxy.stop();
      await server.remove(service('goes'));
      await server.apply(slice('stays', { count: 3 }));
      await server.apply(service('comes'));
      expect(objects()).toHaveLength(before);
      await proxy.start();
      await stand.untilCurrent(follower);
      const reported = objects()
        .slice(before)
        .map((change) => (change.type === 'set' ? `set ${change.object.name}` : change.type));
      expect(follower.changes.map(({ type }) => type)).toContain('stale');
      expect(reported.sort()).toEqual(['delete', 'set comes', 'set stays']);
    });

    test('a server that is away at the start is waited for', async () => {
      await stand.server.apply(service('a'));
      await stand.proxy.stop();
      const follower = await stand.follow();
      await follower.until(({ log }) => log.length > 0);
      await stand.proxy.start();
      await stand.untilCurrent(follower);
    });

    test('connections that are cut anywhere lose no event', async () => {
      const { server, proxy } = stand;
      await server.apply(node('n1'));
      const follower = await stand.follow();
      await follower.untilSynced();
      for (let step = 0; step < 25; step++) {
        proxy.cutAfter(step * 97);
        await server.apply(service(`s${step % 7}`, 1 + step));
        if (step % 3 === 0) await server.remove(service(`s${(step + 3) % 7}`));
        await server.apply(slice(`s${step % 5}`, { third: step }));
      }
      proxy.cutAfter();
      await stand.untilCurrent(follower);
    });

    test('connections that fall silent are noticed', async () => {
      await stand.server.apply(service('a'));
      const follower = await stand.follow({ hurry: 200 });
      await follower.untilSynced();
      stand.proxy.freeze();
      await stand.server.apply(service('b'));
      await follower.untilKnown('Service default/b');
      await stand.untilCurrent(follower);
    });

    test('every watch has a connection of its own, and the next one another', async () => {
      const follower = await stand.follow();
      await follower.untilSynced();
      const before = stand.proxy.count;
      expect(stand.proxy.open).toBeGreaterThanOrEqual(3);
      stand.proxy.cut();
      await stand.server.apply(service('a'));
      await follower.untilKnown('Service default/a');
      expect(stand.proxy.count).toBeGreaterThan(before);
    });
  });
}

/** A server, a proxy before it, and those who follow through it. */
class Stand {
  readonly server: KubeClientHarness;
  readonly proxy: FlakyProxy;
  readonly #stack: AsyncDisposableStack;

  private constructor(server: KubeClientHarness, stack: AsyncDisposableStack) {
    this.server = server;
    this.proxy = stack.use(new FlakyProxy(server.address));
    this.#stack = stack;
    // Those who followed are gone by then: they must have left nothing open.
    stack.defer(() => this.proxy.idle());
  }

  static async start(make: Make, stack: AsyncDisposableStack): Promise<Stand> {
    const stand = new Stand(await make(stack), stack);
    await stand.proxy.start();
    return stand;
  }

  async follow(options: FollowerOptions = {}): Promise<Follower> {
    const follower = await Follower.start(this.server.kubeconfig(this.proxy.address), options);
    this.#stack.defer(() => expect(follower.timers).toBe(0));
    return this.#stack.use(follower);
  }

  /** Until a follower knows what the server has, and nothing else. */
  async untilCurrent(follower: Follower): Promise<void> {
    await follower.untilCurrent(() => this.#state());
  }

  async #state(): Promise<State> {
    const reducer = new Reducer();
    const entries: [string, unknown][] = [];
    for (const kind of ['EndpointSlice', 'Node', 'Service'] as const) {
      for (const raw of await this.server.objects(kind)) {
        if (isForeign(raw)) continue;
        const change = reducer.change(kind, raw);
        if (change.type !== 'set' || (change.kind === 'Node' && change.object.name !== 'n1'))
          continue;
        entries.push([
          `${kind} ${change.kind === 'Node' ? '' : change.object.namespace}/${change.object.name}`,
          change.object,
        ]);
      }
    }
    return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  }
}
