import type { Flow } from '../../pkg/conntrack/conntrack.ts';
import type { RealServer, Statistics, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import { objectKey } from '../../pkg/kube/object-key.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import type { LinkAddress } from '../../pkg/links/links.ts';
import type { ProxierSettings } from '../../pkg/proxy/options.ts';
import { ip } from '../support/addresses.ts';
import { FaultyNode } from '../support/faults/faulty-node.ts';
import { doForeignDeed } from '../support/faults/foreign-hands.ts';
import { RandomFaults } from '../support/faults/random-faults.ts';
import { Dice } from '../support/kube/dice.ts';
import { FakeKernel } from '../support/proxier.ts';
import { virtualServerOf } from '../support/virtual-server.ts';
import type { Story, Trouble } from './stories.ts';

/** What somebody else has on the node. */
const strangers = virtualServerOf(ip('198.18.0.1'), { scheduler: 'wlc' });
const foreignRealServer: RealServer = {
  address: ip('198.18.0.2'),
  port: 80,
  weight: 5,
  forwarding: 'direct',
  upperThreshold: 0,
  lowerThreshold: 0,
};

/** An address that the node has for a while. */
const otherAddress: LinkAddress = { link: 'eth0', address: ip('192.168.0.11'), prefixLength: 24 };

/** A node that another program uses as well. */
export function sharedKernel({ hasOtherAddress = false } = {}): FakeKernel {
  const kernel = new FakeKernel({ remembersDeleted: true });
  kernel.ipvs.write([
    { kind: 'addVirtualServer', virtualServer: strangers },
    { kind: 'addRealServer', virtualServer: strangers, realServer: foreignRealServer },
  ]);
  kernel.ipsets.create({ name: 'OTHERS', type: 'bitmap:port', firstPort: 0, lastPort: 99 });
  kernel.ipsets.write([
    { kind: 'addEntry', set: 'OTHERS', entry: { type: 'bitmap:port', port: 7 } },
  ]);
  kernel.links.addLink('others0', 'dummy');
  if (hasOtherAddress) kernel.links.addAddress(otherAddress);
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
  #hasOtherAddress = false;

  constructor(
    { seed, percent, beginsCalm, hasExceptions }: Story,
    { settings = {} }: { settings?: Partial<ProxierSettings> } = {},
  ) {
    this.#percent = percent;
    this.#hasExceptions = hasExceptions;
    this.#faults = new RandomFaults({ seed, percent: beginsCalm ? 0 : percent });
    this.#dice = new Dice(seed + 1);
    const { draw } = this.#faults;
    this.node = new FaultyNode(
      { draw, strikes: () => this.#strikes() },
      { kernel: sharedKernel(), settings },
    );
  }

  /** Every call that was made and might have failed, and every kind of write in a batch. */
  get callsMet(): ReadonlySet<string> {
    return this.#faults.callsMet;
  }

  /** Whether the node has its other address now. */
  get hasOtherAddress(): boolean {
    return this.#hasOtherAddress;
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
        this.#report(this.#hostile(trouble.change));
        return;
      case 'deed':
        await doForeignDeed(trouble.deed, {
          kernel,
          dice: this.#dice,
          isOurs: ({ address }) => address !== strangers.address,
        });
        return;
      case 'traffic':
        await this.#setTraffic(trouble.connections);
        return;
      case 'address':
        this.#hasOtherAddress = !this.#hasOtherAddress;
        if (this.#hasOtherAddress) kernel.links.addAddress(otherAddress);
        else kernel.links.removeAddress(otherAddress);
        return;
      case 'setting':
        this.node.sysctl.write('net/ipv4/vs/expire_nodest_conn', '0');
        return;
      case 'restart':
        await this.node.restart(this.objects);
    }
  }

  #report(reported: Change): void {
    if (reported.type === 'set') this.#objects.set(keyOf(reported.kind, reported.object), reported);
    if (reported.type === 'delete') this.#objects.delete(keyOf(reported.kind, reported.name));
    this.node.stand.report(reported);
  }

  /** A Service that may throw, as long as anything may, where its footprint is made. */
  #hostile(reported: Change): Change {
    if (reported.type !== 'set' || reported.kind !== 'Service') return reported;
    const { affinitySeconds } = reported.object;
    const object: Service = Object.defineProperty({ ...reported.object }, 'affinitySeconds', {
      // Who copies the object before does not meet it.
      enumerable: false,
      get: () => {
        if (this.#strikes()) throw new TypeError('an affinity that is not what it seems');
        return affinitySeconds;
      },
    });
    return { ...reported, object };
  }

  #strikes(): boolean {
    return this.#hasExceptions && this.#faults.strikes();
  }

  /** Gives real servers so many connections, by turns, each with a flow. */
  async #setTraffic(connections: readonly number[]): Promise<void> {
    const { ipvs, conntrack } = this.node.kernel;
    let turn = 0;
    for (const virtualServer of await ipvs.virtualServers()) {
      for (const realServer of await ipvs.realServers(virtualServer)) {
        const activeConnections = connections[turn++ % connections.length] ?? 0;
        const statistics = this.#packets(activeConnections > 0);
        ipvs.setCounters(virtualServer, realServer, { activeConnections, statistics });
        if (activeConnections > 0) conntrack.insert(this.#flow(virtualServer, realServer));
      }
    }
  }

  /** Counters of a server that is asked, and that answers if it has connections. */
  #packets(isAnswering: boolean): Statistics {
    const now = BigInt(++this.#clients);
    const incomingPackets = now;
    const outgoingPackets = isAnswering ? now : 0n;
    return { incomingPackets, outgoingPackets, ...noBytes };
  }

  #flow(virtualServer: VirtualServer, realServer: RealServer): Omit<Flow, 'id'> {
    const isIPv6 = virtualServer.address.includes(':');
    const client = ip(isIPv6 ? 'fd00:10::1:1' : '10.0.1.1');
    const port = 1024 + this.#clients++;
    return {
      protocol: virtualServer.protocol,
      original: {
        source: client,
        sourcePort: port,
        destination: virtualServer.address,
        destinationPort: virtualServer.port,
      },
      reply: {
        source: realServer.address,
        sourcePort: realServer.port,
        destination: client,
        destinationPort: port,
      },
      zone: 0,
      mark: 0,
      status: 0,
      tcpState: virtualServer.protocol === 'TCP' ? 'ESTABLISHED' : undefined,
    };
  }
}

function keyOf(kind: string, name: { readonly namespace?: string; readonly name: string }): string {
  return `${kind} ${objectKey({ namespace: '', ...name })}`;
}
