import { type IpAddress, isLoopback } from '../ip/address.ts';
import { noStatistics, type VirtualServer } from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';
import { errorText } from '../log/error-text.ts';
import { printNftTable } from '../nftables/nftables.ts';
import { isOfNode } from '../proxy/desired/node-context.ts';
import type { Packet } from '../trace/packet.ts';
import { type Pause, readKernelState } from '../trace/read-state.ts';
import type { AddressTable } from '../trace/state.ts';
import { readEntries } from './entries.ts';
import { ExplainError } from './explain-error.ts';
import type { NodeSources } from './node-sources.ts';
import { type KnownRoute, localRoute, type NodeState } from './node-state.ts';

/** What a question is resolved with, before the rest is read. */
export interface NodeBasics {
  readonly addresses: readonly LinkAddress[];
  /** Those of the node's own devices: not those of the dummy device, of loopback, and IPv6 link-local ones. */
  readonly nodeAddresses: readonly IpAddress[];
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
  const nodeAddresses = addresses.filter(isOfNode).map(({ address }) => address);
  return { addresses, nodeAddresses, virtualServers: (await ipvs?.virtualServers()) ?? [], route };
}

/** How much is looked at. */
export interface ReadLimits {
  /** How many real servers a virtual server may have. */
  readonly realServers: number;
  /** How long the text of all rules may be, in characters. */
  readonly ruleText: number;
}

/** How a node is read. */
export interface ReadOptions {
  readonly packet: Packet;
  /** Lets other work run. */
  readonly pause?: Pause;
  /** Without them, everything is looked at. */
  readonly limits?: ReadLimits | undefined;
}

/**
 * Reads everything that decides about a packet. Throws KernelError, and an ExplainError if there is more than the limits allow; what can
 * be left out is named in `unread`.
 */
export async function readNode(
  sources: NodeSources,
  { addresses, virtualServers, route }: NodeBasics,
  { packet, pause = () => undefined, limits }: ReadOptions,
): Promise<NodeState> {
  const { ipvs, ipsets, rules } = sources;
  const unread: string[] = [];
  const concerned = virtualServers.filter(({ address }) => address === packet.destination);
  const printed = await rules.read();
  const ruleText = printed.reduce((length, { text }) => length + text.length, 0);
  requireAtMost(limits?.ruleText, ruleText, 'characters of rules of iptables');
  const state = await readKernelState(
    {
      ipvs: {
        virtualServers: async () => concerned.map((one) => ({ ...one, statistics: noStatistics })),
        realServers: async (id) => {
          const found = (await ipvs?.realServers(id)) ?? [];
          requireAtMost(limits?.realServers, found.length, `real servers of ${id.address}`);
          return found;
        },
      },
      ipsets: ipsets ?? { sets: async () => [], entries: async () => [] },
      links: { addresses: async () => addresses },
      rules: {
        IPv4: printed.flatMap(({ family, text }) => (family === 'IPv4' ? [text] : [])),
        IPv6: printed.flatMap(({ family, text }) => (family === 'IPv6' ? [text] : [])),
      },
    },
    { pause },
  );
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

function requireAtMost(limit: number | undefined, count: number, what: string): void {
  if (limit !== undefined && count > limit)
    throw new ExplainError(
      `${count} ${what} are too many to be looked at here (${limit}): ask with kube-proxy explain`,
    );
}

/** The addresses of the node, those included that it has by a local route and on no device. */
function withLocalRoutes(addresses: AddressTable, routes: NodeState['routes']): AddressTable {
  const isRouted = (address: IpAddress) =>
    routes.get(address)?.kind === 'local' && !isLoopback(address);
  return {
    get: (address) => addresses.get(address) ?? (isRouted(address) ? localRoute : undefined),
    has: (address) => addresses.has(address) || isRouted(address),
  };
}

/** How many real servers' routes are looked up. */
const routeLimit = 10_000;

function targets({ virtualServers }: NodeState['kernel']): readonly IpAddress[] {
  const all = [...virtualServers.values()].flatMap(({ realServers }) =>
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
