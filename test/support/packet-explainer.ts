import { expect } from 'vitest';
import { openReader } from '../../cmd/kube-proxy/open-reader.ts';
import type { ConnectionDump, IpvsConnection } from '../../pkg/connections/connections.ts';
import type { Flow } from '../../pkg/conntrack/conntrack.ts';
import { type Explanation, explain } from '../../pkg/explain/explain.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import type { From, Question } from '../../pkg/explain/question.ts';
import { readBasics, readNode } from '../../pkg/explain/read-node.ts';
import { resolve } from '../../pkg/explain/resolve.ts';
import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import { virtualServerKey } from '../../pkg/ipvs/ipvs.ts';
import type { Hammer } from './hammer.ts';
import type { Host, Network } from './network/network.ts';
import { addressOf, type Kind, kinds, nameOf, type Table, type Target, table } from './traffic.ts';

/** A request to a target. */
interface AskedPacket {
  readonly target: Target;
  readonly kind: Kind;
  /** The socket of a process of the node is bound to the node's address. */
  readonly isBound?: boolean;
  /** The address that the socket is bound to, if it is another one of the host's addresses. */
  readonly source?: IpAddress;
}

/** A target, and the source ports of a hammer. */
type HammerTarget = Target & { readonly firstSourcePort?: number };

/** What was read of a node, read once: where clients connect without pause, a dump of their entries takes long. */
class Kept {
  readonly #values = new Map<string, unknown>();

  /** Interfaces that read what was not read before. */
  sources(kernel: NodeSources): NodeSources {
    const { ipvs, ipsets, links, rules, nftTables, conntrack, connections } = kernel;
    let areSetsRead = false;
    return {
      ...kernel,
      ipvs: ipvs && {
        virtualServers: () => this.#once('virtual servers', () => ipvs.virtualServers()),
        realServers: (id) => this.#once(virtualServerKey(id), () => ipvs.realServers(id)),
      },
      ipsets: ipsets && {
        sets: () => {
          // Who reads them again has seen that one changed while they were read.
          if (areSetsRead) this.#forgetSets();
          areSetsRead = true;
          return this.#once('sets', () => ipsets.sets());
        },
        entries: (set) => this.#once(`set ${set}`, () => ipsets.entries(set)),
      },
      links: {
        addresses: () => this.#once('addresses', () => links.addresses()),
        names: () => this.#once('names', () => links.names()),
      },
      rules: { read: () => this.#once('rules', () => rules.read()) },
      conntrack: conntrack && {
        dump: async (filter, onFlow) => {
          const dumped = await this.#once(`flows ${JSON.stringify(filter)}`, () =>
            collected<Flow, void>((onItem) => conntrack.dump(filter, onItem)),
          );
          for (const flow of dumped.items) onFlow(flow);
        },
      },
      connections: connections && {
        dump: async (options, onConnection) => {
          const { items, result } = await this.#once('connections', () =>
            collected<IpvsConnection, ConnectionDump>((onItem) =>
              connections.dump(options, onItem),
            ),
          );
          for (const connection of items) onConnection(connection);
          return result;
        },
      },
      nftTables: nftTables && {
        tables: () => this.#once('tables', () => nftTables.tables()),
        otherTables: () => this.#once('other tables', () => nftTables.otherTables()),
      },
    };
  }

  #forgetSets(): void {
    for (const what of this.#values.keys()) if (/^sets?\b/.test(what)) this.#values.delete(what);
  }

  #once<T>(what: string, read: () => T): T {
    if (!this.#values.has(what)) this.#values.set(what, read());
    return this.#values.get(what) as T; // by what was read under the same name
  }
}

/** The items of a dump, and its result. */
async function collected<Item, Result>(dump: (onItem: (item: Item) => void) => Promise<Result>) {
  const items: Item[] = [];
  const result = await dump((item) => items.push(item));
  return { items, result };
}

/** Asks `explain` about packets in a test network, whose node is that of this process: about each once, until the node has changed. */
export class PacketExplainer {
  readonly #network: Network;
  #kept = new Kept();
  readonly #known = new Map<string, Promise<Explanation>>();

  constructor(network: Network) {
    this.#network = network;
  }

  /** What was read and said is old from now on. */
  changed(): void {
    this.#kept = new Kept();
    this.#known.clear();
  }

  /** What is said of the first packet of a request. */
  async explain(
    host: Host,
    { target, kind, isBound = false, source }: AskedPacket,
  ): Promise<Explanation> {
    const address = target.addresses[kind.family];
    const to = { kind: 'address', address, port: target.port, protocol: kind.protocol } as const;
    const from = this.#from(host, { family: kind.family, isBound, source });
    const key = JSON.stringify([from, to]);
    const known = this.#known.get(key) ?? this.#ask({ from, to });
    this.#known.set(key, known);
    return await known;
  }

  async #ask(question: Question): Promise<Explanation> {
    const { sources: kernel, close } = openReader();
    try {
      const sources = this.#kept.sources(kernel);
      const basics = await readBasics(sources);
      const { packet } = await resolve(question, { basics, names: undefined });
      return explain(await readNode(sources, basics, { packet }), { packet });
    } finally {
      close();
    }
  }

  #from(
    host: Host,
    {
      family,
      isBound,
      source,
    }: { family: Family; isBound: boolean; source: IpAddress | undefined },
  ): From {
    const address = source ?? addressOf(host, family);
    if (host !== this.#network.node) return { kind: 'address', address };
    return { kind: 'node', address: isBound || source !== undefined ? address : undefined };
  }

  /** Asks about requests of each kind that has answers, and fails if what is said is not what came of any of them. */
  async judge(
    host: Host,
    { target, answers }: { target: HammerTarget; answers: Table<readonly string[]> },
  ): Promise<void> {
    for (const kind of kinds) {
      const given = answers[nameOf(kind)] ?? [];
      if (given.length === 0) continue;
      const isBound = target.firstSourcePort !== undefined && kind.protocol === 'SCTP';
      const explanation = await this.explain(host, { target, kind, isBound });
      for (const answer of given) this.expectTrue(explanation, answer);
    }
  }

  /**
   * Asks about the next requests of a client, and fails if what is said is not what came of them. Of one that waits for a moment only,
   * silence says nothing.
   */
  async judgeNext(
    hammer: Hammer,
    { host, target, isHasty = false }: { host: Host; target: HammerTarget; isHasty?: boolean },
  ): Promise<void> {
    const next = await hammer.next(2);
    const answers = table((kind) => {
      // The first one may be to a request from before.
      const some = next[nameOf(kind)]?.slice(1) ?? [];
      return isHasty ? some.filter((answer) => answer !== 'timeout') : some;
    });
    await this.judge(host, { target, answers });
  }

  /** Fails if what was said of a request is not what came of it: whether a real server answered, and as whom it saw the client. */
  expectTrue({ answer: said, sentence, trace, ways }: Explanation, answer: string): void {
    const [, name, peer] = /^(\S+) saw (\S+)$/.exec(answer) ?? [];
    const isAnswered = name !== undefined;
    const { verdict } = trace;
    // What goes to sockets of the node, or elsewhere without IPVS, may be answered, but by no real server.
    if (verdict.kind === 'node' || verdict.kind === 'forwarded') {
      expect(said, sentence).toBe('no');
      return;
    }
    const possible = { yes: [true], no: [false], 'in part': [true, false], unknown: [] }[said];
    expect(possible, `${answer}, but it is said: ${sentence}`).toContain(isAnswered);
    if (!isAnswered) return;
    const seen = ways
      .filter((way) => this.#network.hostAt(way.choice.realServer.address)?.name === name)
      .map(({ seenSource }) => seenSource ?? peer);
    expect(seen, `${answer}, but it is said: ${sentence}`).toContain(peer);
  }
}
