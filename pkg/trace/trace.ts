import type { RealServer } from '../ipvs/ipvs.ts';
import { type Passage, passTables } from './chains.ts';
import { enteringPacket, type Packet, type PacketView } from './packet.ts';
import type { Choice, Fate, Hook, Step, Trace, Verdict } from './result.ts';
import { balancingOf, eligible, virtualServerFor } from './scheduling.ts';
import { isNodeAddress, type KernelState, type TracedVirtualServer } from './state.ts';

/*
 * The hooks and their order, from linux/netfilter_ipv4.h and net/netfilter/ipvs/ip_vs_core.c:
 *
 *   from a device   PREROUTING raw mangle nat ─ route ─┬ INPUT mangle filter security IPVS nat ─ sockets
 *                                                      └ FORWARD mangle filter security ─ POSTROUTING mangle nat
 *   from the node   route ─ OUTPUT raw mangle nat IPVS filter security ─ POSTROUTING mangle nat ─ (to itself: by `lo`, PREROUTING …)
 *   IPVS            to a real server elsewhere: OUTPUT from its beginning, POSTROUTING; to one on the node: on from where it is
 *
 * The nat table is asked once for the destination (PREROUTING or OUTPUT) and once for the source (INPUT or POSTROUTING).
 */
const beforeNat = ['raw', 'mangle'];
const filters = ['filter', 'security'];

/**
 * Traces the first packet of a connection: the rules, sets, virtual server and real servers that it meets, and its end. Pure: only
 * the state counts. If something cannot be judged, the trace ends there as `unknown`.
 */
export function trace(state: KernelState, packet: Packet): Trace {
  const way = new Way(state, enteringPacket(packet));
  const verdict = packet.origin.kind === 'node' ? way.fromNode() : way.fromDevice();
  return { steps: way.steps, verdict };
}

/** A packet on its way through the hooks. */
class Way {
  readonly steps: Step[] = [];
  readonly #state: KernelState;
  #packet: PacketView;
  #masqueradedBy: Passage['masqueradedBy'];

  constructor(state: KernelState, packet: PacketView) {
    this.#state = state;
    this.#packet = packet;
  }

  fromDevice(): Verdict {
    const fate = this.#pass('PREROUTING', [...beforeNat, 'nat']);
    if (fate !== 'passed') return { kind: fate };
    // Bridged packets lose the port that br_netfilter knows when they are passed up.
    this.#packet = { ...this.#packet, isFromBridgePort: false };
    if (this.#route()) return this.#input();
    const forwarded = this.#pass('FORWARD', ['mangle', ...filters]);
    return forwarded === 'passed' ? this.#leave() : { kind: forwarded };
  }

  fromNode(): Verdict {
    let isForNode = this.#route();
    const { destination } = this.#packet;
    const fate = this.#pass('OUTPUT', [...beforeNat, 'nat']);
    if (fate !== 'passed') return { kind: fate };
    if (this.#packet.destination !== destination) isForNode = this.#route();
    const traced = virtualServerFor(this.#state, this.#packet);
    if (traced !== undefined) return this.#balance(traced, 'OUTPUT');
    const filtered = this.#pass('OUTPUT', filters);
    if (filtered !== 'passed') return { kind: filtered };
    return isForNode ? this.#loopBack() : this.#leave();
  }

  /** Delivers it to the node itself: IPVS comes after the filters and before the sockets. */
  #input(): Verdict {
    const fate = this.#pass('INPUT', ['mangle', ...filters]);
    if (fate !== 'passed') return { kind: fate };
    const traced = virtualServerFor(this.#state, this.#packet);
    if (traced !== undefined) return this.#balance(traced, 'INPUT');
    const last = this.#packet.input === 'lo' ? 'passed' : this.#pass('INPUT', ['nat']);
    return { kind: last === 'passed' ? 'node' : last };
  }

  /** From the node to itself without IPVS: out by `lo`, and in again. */
  #loopBack(): Verdict {
    const out = this.#pass('POSTROUTING', ['mangle', 'nat']);
    if (out !== 'passed') return { kind: out };
    this.#packet = { ...this.#packet, input: 'lo' };
    const back = this.#pass('PREROUTING', beforeNat);
    return back === 'passed' ? this.#input() : { kind: back };
  }

  #leave(): Verdict {
    const fate = this.#pass('POSTROUTING', ['mangle', 'nat']);
    if (fate !== 'passed') return { kind: fate };
    return { kind: 'forwarded', masqueradedBy: this.#masqueradedBy };
  }

  #balance(traced: TracedVirtualServer, hook: 'INPUT' | 'OUTPUT'): Verdict {
    const { virtualServer } = traced;
    this.steps.push({ kind: 'ipvs', hook, virtualServer });
    const packet = { ...this.#packet, virtualServer };
    const choices = eligible(traced).map((realServer) =>
      new Way(this.#state, packet).#choose(realServer, hook),
    );
    const balancing = { ...balancingOf(traced), choices };
    return { kind: choices.length === 0 ? 'refused' : 'balanced', balancing };
  }

  #choose(realServer: RealServer, hook: 'INPUT' | 'OUTPUT'): Choice {
    const { address, port } = realServer;
    const isHairpin = this.#packet.source === address;
    const isOnNode = isNodeAddress(this.#state, address);
    this.#packet = {
      ...this.#packet,
      destination: address,
      port: port === 0 ? this.#packet.port : port,
    };
    const fate = this.#towards(realServer, { hook, isOnNode });
    const { steps } = this;
    return { realServer, isOnNode, isHairpin, steps, fate, masqueradedBy: this.#masqueradedBy };
  }

  #towards(
    { forwarding }: RealServer,
    { hook, isOnNode }: { hook: 'INPUT' | 'OUTPUT'; isOnNode: boolean },
  ): Fate {
    if (forwarding !== 'masquerade') {
      const place = { hook, table: 'ipvs', chain: hook };
      this.steps.push({ kind: 'unknown', place, reason: `the forwarding method ${forwarding}` });
      return 'unknown';
    }
    if (!isOnNode) {
      this.#packet = { ...this.#packet, input: '' };
      return this.#passAll([
        ['OUTPUT', [...beforeNat, ...filters]],
        ['POSTROUTING', ['mangle', 'nat']],
      ]);
    }
    if (hook === 'INPUT') return this.#pass('INPUT', ['nat']);
    const out = this.#passAll([
      ['OUTPUT', filters],
      ['POSTROUTING', ['mangle', 'nat']],
    ]);
    if (out !== 'passed') return out;
    this.#packet = { ...this.#packet, input: 'lo' };
    return this.#passAll([
      ['PREROUTING', beforeNat],
      ['INPUT', ['mangle', ...filters]],
    ]);
  }

  #passAll(hooks: readonly (readonly [Hook, readonly string[]])[]): Fate {
    for (const [hook, tables] of hooks) {
      const fate = this.#pass(hook, tables);
      if (fate !== 'passed') return fate;
    }
    return 'passed';
  }

  #pass(hook: Hook, tables: readonly string[]): Fate {
    this.#packet = { ...this.#packet, output: this.#output(hook) };
    const passage = passTables(this.#state, this.#packet, { hook, tables });
    this.#packet = passage.packet;
    this.#masqueradedBy = passage.masqueradedBy ?? this.#masqueradedBy;
    this.steps.push(...passage.steps);
    return passage.fate;
  }

  /** The output device that rules at a hook see. */
  #output(hook: Hook): string | undefined {
    if (hook === 'PREROUTING' || hook === 'INPUT') return '';
    const { destination } = this.#packet;
    return isNodeAddress(this.#state, destination) ? 'lo' : this.#state.outputs.get(destination);
  }

  /** Whether the packet is for the node itself. */
  #route(): boolean {
    const { destination } = this.#packet;
    const isForNode = isNodeAddress(this.#state, destination);
    const link = isForNode ? (this.#state.addresses.get(destination) ?? 'lo') : undefined;
    this.steps.push({ kind: 'route', destination, link });
    return isForNode;
  }
}
