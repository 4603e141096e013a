import fc from 'fast-check';
import type { Flow } from '../../pkg/conntrack/conntrack.ts';
import type { RealServer, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import { objectKey } from '../../pkg/proxy/service.ts';
import { ip } from '../support/addresses.ts';
import { FaultyNode } from '../support/faults/faulty-node.ts';
import { doForeignDeed, type ForeignDeed, foreignDeeds } from '../support/faults/foreign-hands.ts';
import { RandomFaults } from '../support/faults/random-faults.ts';
import { Dice } from '../support/kube/dice.ts';
import { FakeKernel } from '../support/proxier.ts';
import { aChange } from './changes.ts';

/** One thing that happens on a node, and how many milliseconds pass after it. */
export type Trouble = { readonly pause: number } & (
  | { readonly type: 'change'; readonly change: Change }
  | { readonly type: 'deed'; readonly deed: ForeignDeed }
  | { readonly type: 'traffic'; readonly connections: readonly number[] }
  | { readonly type: 'restart' }
);

/** What happens, how many of a hundred calls fail meanwhile, and the seed that says which. */
export interface Story {
  readonly percent: number;
  readonly seed: number;
  readonly troubles: readonly Trouble[];
}

/**
 * Deeds that take away what a virtual server is recognised by. Whoever starts after one of them cannot know what is ours: stories
 * have either these or restarts.
 */
const disguises: readonly ForeignDeed[] = [
  'clears a set',
  'destroys a set',
  'unbinds an address',
  'deletes the device',
];

const pause = fc.constantFrom(0, 0, 20, 100, 700, 7_000, 40_000);
const change = fc.record({ type: fc.constant('change' as const), change: aChange, pause });
const traffic = fc.record({
  type: fc.constant('traffic' as const),
  connections: fc.array(fc.constantFrom(0, 0, 1, 3), { maxLength: 5 }),
  pause,
});
const restart = fc.record({ type: fc.constant('restart' as const), pause });

function deedOf(deeds: readonly ForeignDeed[]) {
  return fc.record({
    type: fc.constant('deed' as const),
    deed: fc.constantFrom(...deeds),
    pause,
  });
}

const openDeeds = foreignDeeds.filter((deed) => !disguises.includes(deed));

/** Stories of up to 30 troubles. */
export const aStory: fc.Arbitrary<Story> = fc.record({
  percent: fc.integer({ min: 3, max: 60 }),
  seed: fc.nat(),
  troubles: fc.oneof(
    fc.array(fc.oneof(change, change, change, traffic, deedOf(foreignDeeds)), { maxLength: 30 }),
    fc.array(fc.oneof(change, change, change, traffic, deedOf(openDeeds), restart), {
      maxLength: 30,
    }),
  ),
});

/** What somebody else has on the node. */
const strangers: VirtualServer = {
  ...{ address: ip('198.18.0.1'), protocol: 'TCP', port: 80, scheduler: 'wlc' },
  ...{ flags: 0, timeout: 0, prefixLength: 32, persistenceEngine: '' },
};
const strangersBackend: RealServer = {
  ...{ address: ip('198.18.0.2'), port: 80, weight: 5, forwarding: 'direct' },
  ...{ upperThreshold: 0, lowerThreshold: 0 },
};

/** A node that another program uses as well. */
export function sharedKernel(): FakeKernel {
  const kernel = new FakeKernel({ remembersDeleted: true });
  kernel.ipvs.write([
    { kind: 'addVirtualServer', server: strangers },
    { kind: 'addRealServer', server: strangers, backend: strangersBackend },
  ]);
  kernel.ipsets.create({ name: 'OTHERS', type: 'bitmap:port', firstPort: 0, lastPort: 99 });
  kernel.ipsets.write([
    { kind: 'addEntry', set: 'OTHERS', entry: { type: 'bitmap:port', port: 7 } },
  ]);
  kernel.links.addLink('others0', 'dummy');
  kernel.links.addAddress({ link: 'others0', address: ip('198.18.0.1'), prefixLength: 32 });
  return kernel;
}

/** A node in trouble. */
export class TroubledNode {
  readonly node: FaultyNode;
  readonly #faults: RandomFaults;
  /** For everything but faults. */
  readonly #dice: Dice;
  readonly #objects = new Map<string, Change>();
  #clients = 0;

  constructor({ seed, percent }: Story) {
    this.#faults = new RandomFaults({ seed, percent });
    this.#dice = new Dice(seed + 1);
    const { draw } = this.#faults;
    const strikes = () => this.#faults.strikes();
    this.node = new FaultyNode({ draw, strikes }, sharedKernel());
  }

  /** What there is, as the API tells it. */
  get objects(): readonly Change[] {
    return [...this.#objects.values()];
  }

  /** Lets everything happen. */
  async live({ troubles }: Story): Promise<void> {
    await this.node.stand.sync();
    for (const trouble of troubles) {
      await this.#suffer(trouble);
      await this.node.stand.settle(trouble.pause);
    }
  }

  /** Nothing fails any more, and every connection ends. */
  async calm(): Promise<void> {
    this.#faults.percent = 0;
    await this.#setTraffic([0]);
    this.node.kernel.ipvs.forgetDeleted();
  }

  async #suffer(trouble: Trouble): Promise<void> {
    const { kernel } = this.node;
    switch (trouble.type) {
      case 'change':
        this.#tell(this.#hostile(trouble.change));
        return;
      case 'deed':
        await doForeignDeed(trouble.deed, {
          ...{ kernel, dice: this.#dice },
          isOurs: ({ address }) => address !== strangers.address,
        });
        return;
      case 'traffic':
        await this.#setTraffic(trouble.connections);
        return;
      case 'restart':
        await this.node.restart(this.objects);
    }
  }

  #tell(told: Change): void {
    if (told.type === 'set') this.#objects.set(keyOf(told.kind, told.object), told);
    if (told.type === 'delete') this.#objects.delete(keyOf(told.kind, told.name));
    this.node.stand.tell(told);
  }

  /** A Service that may throw, as long as anything may, where its footprint is made. */
  #hostile(told: Change): Change {
    if (told.type !== 'set' || told.kind !== 'Service') return told;
    const { affinitySeconds } = told.object;
    const object: Service = Object.defineProperty({ ...told.object }, 'affinitySeconds', {
      // Who copies the object before does not meet it.
      enumerable: false,
      get: () => {
        if (this.#faults.strikes()) throw new TypeError('an affinity that is not what it seems');
        return affinitySeconds;
      },
    });
    return { ...told, object };
  }

  /** Gives real servers so many connections, by turns, each with a flow. */
  async #setTraffic(connections: readonly number[]): Promise<void> {
    const { ipvs, conntrack } = this.node.kernel;
    let turn = 0;
    for (const server of await ipvs.virtualServers()) {
      for (const backend of await ipvs.realServers(server)) {
        const activeConnections = connections[turn++ % connections.length] ?? 0;
        ipvs.setCounters(server, backend, { activeConnections });
        if (activeConnections > 0) conntrack.insert(this.#flow(server, backend));
      }
    }
  }

  #flow(server: VirtualServer, backend: RealServer): Omit<Flow, 'id'> {
    const isIPv6 = server.address.includes(':');
    const client = ip(isIPv6 ? 'fd00:10::1:1' : '10.0.1.1');
    const port = 1024 + this.#clients++;
    return {
      protocol: server.protocol,
      original: {
        ...{ source: client, sourcePort: port },
        ...{ destination: server.address, destinationPort: server.port },
      },
      reply: {
        ...{ source: backend.address, sourcePort: backend.port },
        ...{ destination: client, destinationPort: port },
      },
      ...{ zone: 0, mark: 0, status: 0 },
      tcpState: server.protocol === 'TCP' ? 'ESTABLISHED' : undefined,
    };
  }
}

function keyOf(kind: string, name: { readonly namespace?: string; readonly name: string }): string {
  return `${kind} ${objectKey({ namespace: '', ...name })}`;
}
