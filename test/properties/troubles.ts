import fc from 'fast-check';
import type { Flow } from '../../pkg/conntrack/conntrack.ts';
import type { RealServer, Statistics, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import type { Change, Endpoint, Service } from '../../pkg/kube/types.ts';
import { objectKey } from '../../pkg/proxy/service.ts';
import { ip } from '../support/addresses.ts';
import { FaultyNode } from '../support/faults/faulty-node.ts';
import { doForeignDeed, type ForeignDeed, foreignDeeds } from '../support/faults/foreign-hands.ts';
import { RandomFaults } from '../support/faults/random-faults.ts';
import { Dice } from '../support/kube/dice.ts';
import { FakeKernel, remove } from '../support/proxier.ts';
import { aChange, aWholeService, names } from './changes.ts';

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
  /** The reporter, the log and the making of footprints throw as often as the kernel fails. */
  readonly hasExceptions: boolean;
  /** The first sync is spared; otherwise it takes its time, and what happens meanwhile is taken in all together. */
  readonly beginsCalm: boolean;
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
const shortPause = fc.constantFrom(0, 20, 100, 700);
const aTraffic = fc.record({
  type: fc.constant('traffic' as const),
  connections: fc.array(fc.constantFrom(0, 0, 1, 3), { maxLength: 5 }),
  pause,
});
const aRestart = fc.record({ type: fc.constant('restart' as const), pause });

function changing(change: Change, milliseconds: number): Trouble {
  return { type: 'change', change, pause: milliseconds };
}

function deedOf(deeds: readonly ForeignDeed[]) {
  const type = fc.constant('deed' as const);
  return fc.record({ type, deed: fc.constantFrom(...deeds), pause });
}

/** A Service comes with its endpoints, and goes before it has been there for long. */
const aShortLife = fc
  .tuple(aWholeService, shortPause, pause)
  .map(([changes, life, after]) => [
    ...changes.map((change) => changing(change, 0)),
    { type: 'traffic', connections: [], pause: life } as const,
    ...deletionsOf(changes).map((change) => changing(change, after)),
  ]);

const leavings = ['deleted', 'vanishing', 'dying', 'replaced'] as const;

/** A Service with connections goes, or its pods do, and somebody reaches into its drains. */
const aTroubledDrain = fc
  .record({
    changes: aWholeService,
    leaving: fc.constantFrom(...leavings),
    wait: shortPause,
    deed: deedOf([
      ...(['deletes the draining real servers', 'deletes all virtual servers'] as const),
      ...(['deletes a real server', 'sets a weight'] as const),
    ]),
  })
  .map(({ changes, leaving, wait, deed }): readonly Trouble[] => [
    ...changes.map((change) => changing(change, 100)),
    { type: 'traffic', connections: [1], pause: 0 },
    ...leavingOf(changes, leaving).map((change) => changing(change, wait)),
    { type: 'traffic', connections: [1], pause: 3_000 },
    { type: 'traffic', connections: [1], pause: 1_000 },
    deed,
  ]);

function leavingOf(
  changes: readonly Change[],
  leaving: (typeof leavings)[number],
): readonly Change[] {
  const deletions = deletionsOf(changes);
  switch (leaving) {
    case 'deleted':
      return deletions;
    case 'vanishing':
      return deletions.slice(1);
    case 'dying':
      return [
        ...withEndpoints(changes, { ready: false, serving: false, terminating: true }),
        ...deletions.slice(1),
      ];
    case 'replaced':
      return withEndpoints(changes, { podUid: 'successor' });
  }
}

function withEndpoints(changes: readonly Change[], over: Partial<Endpoint>): readonly Change[] {
  return changes.flatMap((change) => {
    if (change.type !== 'set' || change.kind !== 'EndpointSlice') return [];
    const endpoints = change.object.endpoints.map((endpoint) => ({ ...endpoint, ...over }));
    return [{ ...change, object: { ...change.object, endpoints } }];
  });
}

/** What takes objects away again. */
function deletionsOf(changes: readonly Change[]): readonly Change[] {
  return changes.flatMap((change) => {
    if (change.type !== 'set' || change.kind === 'Node') return [];
    return [{ type: 'delete', kind: change.kind, name: change.object }];
  });
}

/** Everything is deleted at once. */
const anEnd = pause.map((milliseconds) => [
  ...names.flatMap((name) => [
    changing(remove('Service', name), 0),
    ...[1, 2].map((number) => changing(remove('EndpointSlice', `${name}-${number}`), 0)),
  ]),
  { type: 'traffic', connections: [], pause: milliseconds } as const,
]);

function troublesWith(some: fc.Arbitrary<Trouble>): fc.Arbitrary<readonly Trouble[]> {
  const single = fc
    .tuple(aChange, pause)
    .map(([change, milliseconds]) => [changing(change, milliseconds)]);
  const act: fc.Arbitrary<readonly Trouble[]> = fc.oneof(
    ...[single, single, single, aShortLife, aTroubledDrain],
    some.map((trouble) => [trouble]),
  );
  const end = fc.option(anEnd, { nil: [] });
  return fc
    .tuple(fc.array(act, { maxLength: 16, size: 'max' }), end)
    .map(([acts, last]) => [...acts.flat(), ...last]);
}

const openDeeds = foreignDeeds.filter((deed) => !disguises.includes(deed));

/** Stories of Services, their drains and their ends. */
export const aStory: fc.Arbitrary<Story> = fc.record({
  percent: fc.integer({ min: 3, max: 60 }),
  seed: fc.nat(),
  hasExceptions: fc.boolean(),
  beginsCalm: fc.constantFrom(true, true, true, false),
  troubles: fc.oneof(
    troublesWith(fc.oneof(aTraffic, deedOf(foreignDeeds))),
    troublesWith(fc.oneof(aTraffic, deedOf(openDeeds), aRestart)),
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

const noBytes = { connections: 1n, incomingBytes: 0n, outgoingBytes: 0n };

/** A node in trouble. */
export class TroubledNode {
  readonly node: FaultyNode;
  readonly #faults: RandomFaults;
  readonly #percent: number;
  readonly #hasExceptions: boolean;
  /** For everything but faults. */
  readonly #dice: Dice;
  readonly #objects = new Map<string, Change>();
  #clients = 0;

  constructor({ seed, percent, beginsCalm, hasExceptions }: Story) {
    this.#percent = percent;
    this.#hasExceptions = hasExceptions;
    this.#faults = new RandomFaults({ seed, percent: beginsCalm ? 0 : percent });
    this.#dice = new Dice(seed + 1);
    const { draw } = this.#faults;
    this.node = new FaultyNode({ draw, strikes: () => this.#strikes() }, sharedKernel());
  }

  /** Every call that was made and might have failed, and every kind of write in a batch. */
  get callsMet(): ReadonlySet<string> {
    return this.#faults.callsMet;
  }

  /** What there is, as the API tells it. */
  get objects(): readonly Change[] {
    return [...this.#objects.values()];
  }

  /** Lets everything happen. */
  async live({ troubles }: Story): Promise<void> {
    await this.node.stand.sync();
    this.#faults.percent = this.#percent;
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
        if (this.#strikes()) throw new TypeError('an affinity that is not what it seems');
        return affinitySeconds;
      },
    });
    return { ...told, object };
  }

  #strikes(): boolean {
    return this.#hasExceptions && this.#faults.strikes();
  }

  /** Gives real servers so many connections, by turns, each with a flow. */
  async #setTraffic(connections: readonly number[]): Promise<void> {
    const { ipvs, conntrack } = this.node.kernel;
    let turn = 0;
    for (const server of await ipvs.virtualServers()) {
      for (const backend of await ipvs.realServers(server)) {
        const activeConnections = connections[turn++ % connections.length] ?? 0;
        const statistics = this.#packets(activeConnections > 0);
        ipvs.setCounters(server, backend, { activeConnections, statistics });
        if (activeConnections > 0) conntrack.insert(this.#flow(server, backend));
      }
    }
  }

  /** Counters of a server that is asked, and that answers if it has connections. */
  #packets(isAnswering: boolean): Statistics {
    const now = BigInt(++this.#clients);
    const [incomingPackets, outgoingPackets] = [now, isAnswering ? now : 0n];
    return { ...{ incomingPackets, outgoingPackets }, ...noBytes };
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
