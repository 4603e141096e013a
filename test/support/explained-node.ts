import type { DumpSources } from '../../pkg/dump/sources.ts';
import { ask } from '../../pkg/explain/ask.ts';
import type { DesiredSettings } from '../../pkg/explain/ledger.ts';
import { ListedObjects } from '../../pkg/explain/listed-objects.ts';
import type { NameSource } from '../../pkg/explain/names.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { parseFrom, parseTo, type Question } from '../../pkg/explain/question.ts';
import type { Report } from '../../pkg/explain/report.ts';
import type { PrintedRules } from '../../pkg/firewall/firewall.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { contains, type Prefix, single } from '../../pkg/ip/prefix.ts';
import type { EndpointSlice, Node, PodPlace, Service } from '../../pkg/kube/types.ts';
import type { Route, TableRoute } from '../../pkg/neighbours/neighbours.ts';
import type { VipBinding } from '../../pkg/proxy/desired/vip-routes.ts';
import { FakeSysctl } from '../../pkg/sysctl/fake.ts';
import { ip, net } from './addresses.ts';
import { FakeKernel, Stand, setNode, setService, setSlice } from './proxier.ts';
import { proxierSettings } from './proxier-settings.ts';

// A node in memory on which a proxier has worked, and which a test then breaks: what `explain` says of it.

/** The objects of a node's cluster. */
export interface ExplainedObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly node: Node;
}

/** How a question is asked. */
export interface AskedOptions extends Partial<Pick<Question, 'device' | 'sourcePort'>> {
  /** Whether the objects of the API are known; true unless said otherwise. */
  readonly hasNames?: boolean;
}

/** Settings of a kernel that is as it should be. */
const goodSettings: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv4/vs/conntrack': '1',
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/eth0/rp_filter': '1',
  'net/ipv4/conf/eth1/rp_filter': '1',
  'net/ipv4/conf/cni0/rp_filter': '1',
  'net/bridge/bridge-nf-call-iptables': '1',
};

/**
 * A node with pods of its own (10.0.1.0/24) on the bridge cni0; pods elsewhere (10.0.2.0/24) and everybody outside are behind a router
 * on eth0. There is a second device, eth1.
 */
export class ExplainedNode {
  readonly kernel = new FakeKernel();
  readonly settings = new Map(Object.entries(goodSettings));
  /** Rules of the other packet filter. */
  readonly otherRules: PrintedRules[] = [];
  /** Networks whose addresses are the node's own by a local route. */
  readonly localRoutes: Prefix[] = [];
  readonly pods = new Map<string, PodPlace>();
  readonly objects: ExplainedObjects;
  readonly #vipBinding: VipBinding;
  /** What reading the objects fails with. */
  objectsFailure: Error | undefined;

  private constructor(objects: ExplainedObjects, vipBinding: VipBinding) {
    this.objects = objects;
    this.#vipBinding = vipBinding;
    for (const name of ['cni0', 'eth1']) this.kernel.links.addLink(name, 'veth');
    this.kernel.links.addAddress({ link: 'cni0', address: ip('10.0.1.254'), prefixLength: 24 });
  }

  /** A node on which a proxier has carried out everything. */
  static async with(
    objects: ExplainedObjects,
    { vipBinding } = proxierSettings,
  ): Promise<ExplainedNode> {
    const node = new ExplainedNode(objects, vipBinding);
    const stand = new Stand({ kernel: node.kernel, vipBinding });
    stand.report(
      setNode(objects.node),
      ...objects.services.map(setService),
      ...objects.slices.map(setSlice),
    );
    await stand.sync();
    await stand.stop();
    for (const { network } of await node.kernel.routes.routes()) node.localRoutes.push(network);
    return node;
  }

  /** What `kube-proxy explain FROM TO` reports here. Throws where the question is none. */
  ask(from: string, to: string, { hasNames = true, ...over }: AskedOptions = {}): Promise<Report> {
    const question = { from: valueOf(parseFrom(from)), to: valueOf(parseTo(to)), ...over };
    return ask(question, {
      sources: this.sources,
      names: hasNames ? this.names : undefined,
      settings: this.desiredSettings,
      now: () => 0,
    });
  }

  get sources(): NodeSources {
    const { ipvs, ipsets, links, ruleTables, nftTables, conntrack, connections } = this.kernel;
    return {
      ipvs,
      ipsets,
      links,
      rules: { read: async () => [...(await ruleTables.read()), ...this.otherRules] },
      nftTables,
      conntrack,
      connections,
      neighbours: { route: (address) => this.#route(address) },
      sysctl: new FakeSysctl({ values: Object.fromEntries(this.settings) }),
      sysfs: new FakeSysctl({ values: { 'class/net/cni0/bridge/bridge_id': '8000.0' } }),
    };
  }

  /** The node as a dump is made of it. */
  get dumpSources(): DumpSources {
    const { ipvs, routes, firewall, conntrack } = this.kernel;
    const sources = this.sources;
    const route = (address: IpAddress) => this.#route(address);
    return {
      ...sources,
      ipvs,
      links: this.kernel.links,
      routes,
      firewall,
      conntrack,
      neighbours: {
        route,
        isLocal: (address) => route(address).kind === 'local',
        canReach: (address) => route(address).kind !== 'none',
        tableRoutes: async () => ({ isWhole: true, routes: this.#tableRoutes() }),
      },
      sysctl: new FakeSysctl({ values: Object.fromEntries(this.settings) }),
      process: new FakeSysctl({ values: { status: 'Name:\tnode\nCpus_allowed_list:\t0-3\n' } }),
      isLoaded: (module) => ['ip_vs', 'ip_vs_rr', 'ip_set', 'nf_conntrack'].includes(module),
    };
  }

  /** Those of the proxier that has worked here. */
  get desiredSettings(): DesiredSettings {
    return { ...proxierSettings, vipBinding: this.#vipBinding, serviceOptionsOf: undefined };
  }

  get names(): NameSource {
    const objects = new ListedObjects(this.objects);
    return {
      description: 'the API',
      pod: async ({ namespace, name }) => this.pods.get(`${namespace}/${name}`),
      objects: async () => {
        if (this.objectsFailure !== undefined) throw this.objectsFailure;
        return objects;
      },
      ledger: (node) => objects.ledger(node),
    };
  }

  #route(address: IpAddress): Route {
    const isBound = this.kernel.links.dump().includes(` ${address}/`);
    if (isBound || this.localRoutes.some((network) => contains(network, address)))
      return { kind: 'local' };
    if (address.startsWith('198.18.')) return { kind: 'none' };
    const [name, gateway] = address.startsWith('10.0.1.')
      ? ['cni0', undefined]
      : ['eth0', ip('192.168.0.1')];
    const source = ip(name === 'cni0' ? '10.0.1.254' : '192.168.0.10');
    return { kind: 'device', device: this.#index(name), gateway, source };
  }

  /** The same routes, as tables have them. */
  #tableRoutes(): readonly TableRoute[] {
    const routes = (table: TableRoute['table'], networks: readonly (readonly [Prefix, Route])[]) =>
      networks.map(([network, route]) => ({ table, network, priority: 0, route }));
    const bound = this.kernel.links.dump().matchAll(/ (\S+)\/\d+$/gm);
    const own = [...bound].map(([, address = '']) => single(ip(address)));
    const main = ['10.0.1.0/24', '198.18.0.0/16', '0.0.0.0/0', '::/0'].map(
      (text) => [net(text), this.#route(net(text).address)] as const,
    );
    return [
      ...routes(
        'local',
        [...own, ...this.localRoutes].map((network) => [network, { kind: 'local' }] as const),
      ),
      ...routes('main', main),
    ];
  }

  #index(name: string): number {
    return ['lo', 'eth0', 'cni0', 'eth1'].indexOf(name) + 1;
  }
}

function valueOf<Value>(parsed: { value: Value } | { problem: string }): Value {
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.value;
}
