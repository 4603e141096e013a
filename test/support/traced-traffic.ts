import { expect } from 'vitest';
import type { Explanation } from '../../pkg/explain/explain.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Packet } from '../../pkg/trace/packet.ts';
import { printTrace } from '../../pkg/trace/print.ts';
import type { Choice, Trace } from '../../pkg/trace/result.ts';
import type { ListedState } from '../../pkg/trace/state.ts';
import { trace } from '../../pkg/trace/trace.ts';
import { printedState } from './kernel-state.ts';
import { ask, type Request } from './network/client.ts';
import type { Host, Network } from './network/network.ts';
import { PacketExplainer } from './packet-explainer.ts';
import { savedState } from './saved-state.ts';
import {
  addressOf,
  askAll,
  type Kind,
  kinds,
  nameOf,
  printAnswer,
  requestTo,
  type Table,
  type Target,
  table,
} from './traffic.ts';

/** Traffic in a test network of which every answer is compared with the trace of the packet, and with what `explain` says of it. */
export class TracedTraffic {
  readonly #network: Network;
  readonly #explainer: PacketExplainer;
  #state: ListedState | undefined;

  constructor(network: Network) {
    this.#network = network;
    this.#explainer = new PacketExplainer(network);
  }

  /** What was read of the kernel is old from now on. */
  changed(): void {
    this.#state = undefined;
    this.#explainer.changed();
  }

  /** As {@link askAll}; fails with the trace, or what was explained before, where the kernel did what they do not say. */
  async askAll(host: Host, target: Target, over: Partial<Request> = {}): Promise<Table> {
    this.#state ??= savedState(printedState(this.#network.node.namespace));
    const state = this.#state;
    const explained: Explanation[] = [];
    for (const kind of kinds) explained.push(await this.#explainer.explain(host, { target, kind }));
    const answers = await askAll(host, target, over);
    for (const [index, kind] of kinds.entries()) {
      const answer = answers[nameOf(kind)] ?? '';
      this.#compare(answer, { state, host, target, kind });
      const explanation = explained[index];
      if (explanation !== undefined) this.#explainer.expectTrue(explanation, answer);
    }
    return answers;
  }

  /** Asks once, from an address of a host; fails with what was explained before, where something else came of it. */
  async ask(
    host: Host,
    target: Target,
    {
      kind,
      source = addressOf(host, kind.family),
    }: { readonly kind: Kind; readonly source?: IpAddress },
  ): Promise<string> {
    const explanation = await this.#explainer.explain(host, { target, kind, source });
    const answer = printAnswer(await ask(host, { ...requestTo(target, kind), source }));
    this.#explainer.expectTrue(explanation, answer);
    return answer;
  }

  /** How often each answer came in several rounds of {@link askAll}, for each kind. */
  async countAll(
    host: Host,
    target: Target,
    { rounds, ...over }: Partial<Request> & { readonly rounds: number },
  ): Promise<Table<Record<string, number>>> {
    const counts = table((): Record<string, number> => ({}));
    for (let round = 0; round < rounds; round++) {
      for (const [name, answer] of Object.entries(await this.askAll(host, target, over))) {
        const count = counts[name] ?? {};
        count[answer] = (count[answer] ?? 0) + 1;
      }
    }
    return counts;
  }

  #compare(
    answer: string,
    { state, host, target, kind }: { state: ListedState; host: Host; target: Target; kind: Kind },
  ): void {
    const packet = packetOf(this.#network, { state, host, target, kind });
    const traced = trace(state, packet);
    const expected = possibleAnswers(this.#network, { state, packet, traced });
    expect(expected, `${answer}, but the trace says:\n${printTrace(packet, traced)}`).toContain(
      answer,
    );
  }
}

/** The first packet of a request, as a host sends it. */
function packetOf(
  network: Network,
  { state, host, target, kind }: { state: ListedState; host: Host; target: Target; kind: Kind },
): Packet {
  const { protocol, family } = kind;
  const destination = target.addresses[family];
  // To an address of its own a process has that address as its source.
  const isOwn = host === network.node && state.addresses.has(destination);
  const source = isOwn ? destination : addressOf(host, family);
  return { protocol, source, destination, port: target.port, origin: network.originOf(host) };
}

/** The answers that a client may get, if the trace of its packet is right. */
function possibleAnswers(
  network: Network,
  { state, packet, traced }: { state: ListedState; packet: Packet; traced: Trace },
): readonly string[] {
  const { verdict } = traced;
  // Where the kernel has sent enough ICMP messages for now, what is refused is silent.
  const refused = ['refused', 'timeout'];
  switch (verdict.kind) {
    case 'balanced':
      return verdict.balancing.choices.flatMap(({ realServer, fate, masqueradedBy }) => {
        const name = network.hostAt(realServer.address)?.name;
        if (fate === 'dropped') return ['timeout'];
        if (fate === 'rejected' || name === undefined) return refused;
        if (fate === 'unknown') return [];
        const peers = peersOf({ masqueradedBy }, { state, packet });
        return peers.map((peer) => `${name} saw ${peer}`);
      });
    case 'refused':
    case 'rejected':
      return refused;
    case 'dropped':
      return ['timeout'];
    case 'node':
      return [`${network.node.name} saw ${packet.source}`, ...refused];
    case 'forwarded': {
      const name = network.hostAt(packet.destination)?.name;
      return name === undefined
        ? ['timeout', 'unreachable']
        : peersOf(verdict, { state, packet }).map((peer) => `${name} saw ${peer}`);
    }
    case 'unknown':
      return [];
  }
}

/** The addresses that a server may see: the client's own, or if it is masqueraded one of the node's. */
function peersOf(
  { masqueradedBy }: Pick<Choice, 'masqueradedBy'>,
  { state: { addresses }, packet }: { state: ListedState; packet: Packet },
): readonly string[] {
  if (masqueradedBy === undefined) return [packet.source];
  return [...addresses].flatMap(([address, link]) => (link === 'kube-ipvs0' ? [] : [address]));
}
