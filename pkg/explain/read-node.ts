import { type IpAddress, isLoopback } from '../ip/address.ts';
import { noStatistics, type VirtualServer } from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';
import { errorText } from '../log/error-text.ts';
import { printNftTable } from '../nftables/nftables.ts';
import { isOfNode } from '../proxy/desired/node-context.ts';
import type { Packet } from '../trace/packet.ts';
import { readKernelState } from '../trace/read-state.ts';
import { readEntries } from './entries.ts';
import type { NodeSources } from './node-sources.ts';
import { type KnownRoute, localRoute, type NodeState } from './node-state.ts';

/** What a question is resolved with, before the rest is read. */
export interface NodeBasics {
  readonly addresses: readonly LinkAddress[];
  readonly virtualServers: readonly VirtualServer[];
  /** The route to an address. Throws KernelError. */
  readonly route: (address: IpAddress) => KnownRoute;
}

/** Reads addresses, names of devices and virtual servers. Throws KernelError. */
export async function readBasics({ links, ipvs, neighbours }: NodeSources): Promise<NodeBasics> {
  const addresses = await links.addresses();
  const names = await links.names();
  const route = (address: IpAddress): KnownRoute => {
    const found = neighbours.route(address);
    if (found.kind !== 'device') return found;
    const { device, gateway, source } = found;
    const name = device === undefined ? undefined : names.get(device);
    return { kind: 'device', device: name, gateway, source };
  };
  return { addresses, virtualServers: (await ipvs?.virtualServers()) ?? [], route };
}

/** Reads everything that decides about a packet. Throws KernelError; what can be left out is named in `unread`. */
export async function readNode(
  sources: NodeSources,
  { addresses, virtualServers, route }: NodeBasics,
  packet: Packet,
): Promise<NodeState> {
  const { ipvs, ipsets, rules } = sources;
  const unread: string[] = [];
  const concerned = virtualServers.filter(({ address }) => address === packet.destination);
  const printed = await rules.read();
  const state = await readKernelState({
    ipvs: {
      virtualServers: async () => concerned.map((one) => ({ ...one, statistics: noStatistics })),
      realServers: async (id) => (await ipvs?.realServers(id)) ?? [],
    },
    ipsets: ipsets ?? { sets: async () => [], entries: async () => [] },
    links: { addresses: async () => addresses },
    rules: {
      IPv4: printed.flatMap(({ family, text }) => (family === 'IPv4' ? [text] : [])),
      IPv6: printed.flatMap(({ family, text }) => (family === 'IPv6' ? [text] : [])),
    },
  });
  const routes = readRoutes(route, [packet.source, packet.destination, ...targets(state)]);
  const outputs = new Map(
    [...routes].flatMap(([address, found]) =>
      found.kind === 'device' && found.device !== undefined ? [[address, found.device]] : [],
    ),
  );
  const devices = new Set([inputOf(packet), ...outputs.values()]);
  return {
    kernel: { ...state, outputs, addresses: withLocalRoutes(state.addresses, routes) },
    hasIpvs: ipvs !== undefined,
    routes,
    ...readSettings(sources, devices),
    entries: await readEntries(sources, { packet, unread }),
    otherTables: await readOtherTables(sources, unread),
    unread,
  };
}

/** The addresses of the node, those included that it has by a local route and on no device. */
function withLocalRoutes(
  addresses: ReadonlyMap<IpAddress, string>,
  routes: NodeState['routes'],
): ReadonlyMap<IpAddress, string> {
  const routed = [...routes].filter(
    ([address, { kind }]) => kind === 'local' && !addresses.has(address) && !isLoopback(address),
  );
  return new Map([...addresses, ...routed.map(([address]) => [address, localRoute] as const)]);
}

/** How many real servers' routes are looked up. */
const routeLimit = 10_000;

function targets({ servers }: NodeState['kernel']): readonly IpAddress[] {
  const all = [...servers.values()].flatMap(({ realServers }) =>
    realServers.map(({ address }) => address),
  );
  return all.slice(0, routeLimit);
}

function readRoutes(
  route: NodeBasics['route'],
  addresses: readonly IpAddress[],
): ReadonlyMap<IpAddress, KnownRoute> {
  return new Map([...new Set(addresses)].map((address) => [address, route(address)]));
}

function inputOf({ origin }: Packet): string {
  return origin.kind === 'device' ? origin.name : 'lo';
}

/** Settings of the whole node that decide about packets. */
const nodeSettings = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv4/vs/conntrack',
  'net/ipv4/vs/expire_quiescent_template',
  'net/ipv4/conf/all/rp_filter',
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
];

function readSettings(
  { sysctl, sysfs }: Pick<NodeSources, 'sysctl' | 'sysfs'>,
  devices: ReadonlySet<string>,
): Pick<NodeState, 'settings' | 'bridges'> {
  const paths = [...nodeSettings, ...[...devices].map((name) => reversePathFilter(name))];
  const settings = new Map(
    paths.flatMap((path) => {
      const value = sysctl.read(path);
      return value === undefined ? [] : [[path, value] as const];
    }),
  );
  const isFiltered = (bridge: string) =>
    settings.get('net/bridge/bridge-nf-call-iptables') === '1' ||
    sysfs.read(`class/net/${bridge}/bridge/nf_call_iptables`) === '1';
  const bridges = [...devices].filter(
    (name) => sysfs.read(`class/net/${name}/bridge/bridge_id`) !== undefined,
  );
  return {
    settings,
    bridges: new Map(bridges.map((name) => [name, { isFiltered: isFiltered(name) }])),
  };
}

/** The setting of a device by which packets from sources are dropped whose route is another one. */
export function reversePathFilter(device: string): string {
  return `net/ipv4/conf/${device}/rp_filter`;
}

/** The tables that iptables-nft makes: their rules are read by iptables. */
const iptablesTables: ReadonlySet<string> = new Set(['raw', 'mangle', 'nat', 'filter', 'security']);

async function readOtherTables(
  { nftTables }: Pick<NodeSources, 'nftTables'>,
  unread: string[],
): Promise<readonly string[]> {
  if (nftTables === undefined) return [];
  try {
    const own = await nftTables.tables();
    const foreign = own.filter(({ name }) => !iptablesTables.has(name)).map(printNftTable);
    return [...foreign, ...(await nftTables.otherTables())];
  } catch (error) {
    unread.push(`the tables of nf_tables: ${errorText(error)}`);
    return [];
  }
}

/** The addresses of the node's own devices: not those of the dummy device, of local routes, of loopback, and IPv6 link-local ones. */
export function nodeAddressesOf(
  addresses: Iterable<readonly [IpAddress, string]>,
): readonly IpAddress[] {
  return [...addresses].flatMap(([address, link]) =>
    link !== localRoute && isOfNode({ address, link }) ? [address] : [],
  );
}
