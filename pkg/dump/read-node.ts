import type { IpvsConnection } from '../connections/connections.ts';
import type { Flow } from '../conntrack/conntrack.ts';
import { isNotFound, isUnsupported, KernelError } from '../errno/errno.ts';
import { type Family, families, type IpAddress } from '../ip/address.ts';
import { readWholeSet } from '../ipset/ipset.ts';
import { errorText } from '../log/error-text.ts';
import { ProgressBoard } from '../runner/progress.ts';
import type { DumpedSet, NodeParts, ReadNode, Unread } from './node-parts.ts';
import { dumpedModules, sysctlPaths, sysfsPaths } from './settings.ts';
import type { DumpSources } from './sources.ts';

/** How many flows of conntrack are dumped. */
const flowLimit = 100_000;
/** How many entries of IPVS's connection table are dumped: reading takes quadratic time. */
const connectionLimit = 20_000;
/** How many addresses' routes are looked up. */
const routeLimit = 20_000;
/** How many routes of the tables are dumped. */
const tableLimit = 65_536;

/** What is known of the node while it is read. */
interface Known {
  readonly parts: Partial<NodeParts>;
  /** Addresses whose routes are looked up besides those that the kernel's state names. */
  readonly asked: Iterable<IpAddress>;
}

type Reader<Value> = (sources: DumpSources, known: Known) => Promise<Value> | Value;

/** How each part is read, in this order, as later ones need what earlier ones have. */
const readers: { readonly [Part in keyof NodeParts]: Reader<NodeParts[Part]> } = {
  kernelRelease: ({ sysctl }) => sysctl.kernelRelease(),
  modules: ({ isLoaded }) => new Map(dumpedModules.map((name) => [name, isLoaded(name)])),
  ipvs: readIpvs,
  sets: readSets,
  links: readLinks,
  addresses: ({ links }) => links.addresses(),
  localRoutes: ({ routes }) => routes.routes(),
  routes: readRoutes,
  routeTables: ({ neighbours }) => neighbours.tableRoutes(tableLimit),
  iptables: readIptables,
  rules: async ({ rules }) => {
    const places = await rules.read();
    return places.map(({ family, flavour, text }) => ({
      family,
      flavour,
      lines: text.split('\n'),
    }));
  },
  nftables: async ({ nftTables }) =>
    nftTables && {
      tables: await nftTables.tables(),
      others: await nftTables.otherTables(),
    },
  conntrack: readFlows,
  ipvsConnections: readConnections,
  sysctls: ({ sysctl }, { parts }) => {
    const names = (parts.links ?? []).map(({ name }) => name);
    return new Map(sysctlPaths(names).map((path) => [path, sysctl.read(path)]));
  },
  sysfs: ({ sysfs }, { parts }) => {
    const bridges = (parts.links ?? []).filter(({ isBridge }) => isBridge);
    const paths = sysfsPaths(bridges.map(({ name }) => name));
    return new Map(paths.map((path) => [path, sysfs.read(path)]));
  },
  cpus: ({ process }) => /^Cpus_allowed_list:\s*(\S+)$/m.exec(process.read('status') ?? '')?.[1],
};

/**
 * Reads everything that a dump has of a node. Writes nothing and loads no module. A part that cannot be read is left out, and named
 * with its reason. `asked` are addresses whose routes are wanted besides those that the kernel's state names.
 */
export async function readNode(
  sources: DumpSources,
  {
    asked,
    progress = new ProgressBoard(),
  }: { readonly asked: Iterable<IpAddress>; readonly progress?: ProgressBoard },
): Promise<ReadNode> {
  const all = Object.entries(readers) as [keyof NodeParts, Reader<unknown>][]; // by their type
  const stage = { stage: 'reading the parts of the node', total: all.length };
  return await progress.during(stage, async (reading) => {
    const parts: Partial<Record<keyof NodeParts, unknown>> = {};
    const unread: Unread[] = [];
    for (const [part, read] of all) {
      // What shows the progress has its turn.
      await new Promise((resolve) => setImmediate(resolve));
      try {
        // Each part is what the reader of its name returns.
        parts[part] = await read(sources, { parts: parts as Partial<NodeParts>, asked });
      } catch (error) {
        unread.push({ part, reason: errorText(error) });
      }
      reading.add();
    }
    return { parts: parts as Partial<NodeParts>, unread };
  });
}

async function readIpvs({ ipvs }: DumpSources): Promise<NodeParts['ipvs']> {
  if (ipvs === undefined) return undefined;
  const virtualServers = [];
  for (const virtualServer of await ipvs.virtualServers())
    virtualServers.push({ ...virtualServer, realServers: await ipvs.realServers(virtualServer) });
  return { info: ipvs.info(), timeouts: ipvs.timeouts(), virtualServers };
}

async function readSets({ ipsets }: DumpSources): Promise<NodeParts['sets']> {
  if (ipsets === undefined) return undefined;
  const found: DumpedSet[] = [];
  for (const status of await ipsets.sets()) {
    const whole =
      status.header.type === 'other' ? { status, entries: [] } : await readWholeSet(ipsets, status);
    if (whole !== undefined) found.push({ ...whole.status, entries: whole.entries });
  }
  return found;
}

async function readLinks({ links, sysfs }: DumpSources): Promise<NodeParts['links']> {
  return [...(await links.names())].map(([index, name]) => ({
    index,
    name,
    isDummy: links.isDummy(name),
    isBridge: sysfs.read(`class/net/${name}/bridge/bridge_id`) !== undefined,
  }));
}

function readRoutes({ neighbours }: DumpSources, { parts, asked }: Known): NodeParts['routes'] {
  const addresses = new Set<IpAddress>();
  for (const { address, realServers } of parts.ipvs?.virtualServers ?? []) {
    addresses.add(address);
    for (const realServer of realServers) addresses.add(realServer.address);
  }
  for (const { address } of parts.addresses ?? []) addresses.add(address);
  for (const address of asked) addresses.add(address);
  return [...addresses].slice(0, routeLimit).map((address) => ({
    address,
    route: neighbours.route(address),
    canReach: neighbours.canReach(address),
  }));
}

async function readIptables({ firewall, sysctl }: DumpSources): Promise<NodeParts['iptables']> {
  const hasIPv6 = sysctl.read('net/ipv6/conf/all/forwarding') !== undefined;
  const capabilities = async (family: Family) => {
    try {
      if (family === 'IPv6' && !hasIPv6) throw new KernelError('look for IPv6', 'EAFNOSUPPORT');
      return await firewall.capabilities(family);
    } catch (error) {
      if (isNotFound(error) || isUnsupported(error)) return undefined;
      throw error;
    }
  };
  const [IPv4, IPv6] = await Promise.all(families.map(capabilities));
  return { IPv4, IPv6 };
}

async function readFlows({ conntrack }: DumpSources): Promise<NodeParts['conntrack']> {
  if (conntrack === undefined) return undefined;
  const flows: Flow[] = [];
  let isWhole = true;
  for (const family of families)
    await conntrack.dump({ family }, (flow) => {
      if (flows.length < flowLimit) flows.push(flow);
      else isWhole = false;
    });
  return { isWhole, isFiltering: conntrack.isFiltering, flows };
}

async function readConnections({
  connections: table,
}: DumpSources): Promise<NodeParts['ipvsConnections']> {
  if (table === undefined) return undefined;
  const connections: IpvsConnection[] = [];
  const dump = await table.dump({ limit: connectionLimit }, (one) => connections.push(one));
  return { ...dump, connections };
}
