import { isAskedFor } from '../conntrack/conntrack.ts';
import { KernelError } from '../errno/errno.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import { virtualServerKey } from '../ipvs/ipvs.ts';
import { type Route, routeByTables } from '../neighbours/neighbours.ts';
import { DumpError } from './dump-error.ts';
import type { DumpedRoute, DumpedSettings, NodeParts } from './node-parts.ts';
import type { OpenedDump } from './read.ts';
import type { DumpSources } from './sources.ts';

/** Returns a part of the node. Throws a DumpError if it was not read. */
type PartOf = <Part extends keyof NodeParts>(name: Part) => NodeParts[Part];

/** A dump as the node that it was made of. What the dump does not have throws a DumpError when it is asked for. */
export function sourcesOf(dump: OpenedDump): DumpSources {
  const { node } = dump;
  const part: PartOf = (name) => {
    if (!Object.hasOwn(node, name)) throw missing(dump, name);
    // It is there, and of the type of its name.
    return node[name] as NodeParts[typeof name];
  };
  /** An interface of which nothing is there if the part is `undefined`. If it was not read, each of its methods throws. */
  const present = <Part extends keyof NodeParts, Interface>(name: Part, made: Interface) =>
    Object.hasOwn(node, name) && node[name] === undefined ? undefined : made;
  return {
    ipvs: present(
      'ipvs',
      ipvsOf(() => required(part('ipvs'))),
    ),
    ipsets: present(
      'sets',
      setsOf(() => required(part('sets'))),
    ),
    links: linksOf(part),
    routes: { routes: async () => part('localRoutes') },
    rules: {
      read: async () =>
        part('rules').map(({ lines, ...place }) => ({ ...place, text: lines.join('\n') })),
    },
    firewall: { capabilities: async (family) => capabilities(part('iptables'), family) },
    nftTables: present('nftables', {
      tables: async () => required(part('nftables')).tables,
      otherTables: async () => required(part('nftables')).others,
    }),
    conntrack: present(
      'conntrack',
      flowsOf(() => required(part('conntrack'))),
    ),
    connections: present(
      'ipvsConnections',
      connectionsOf(() => required(part('ipvsConnections'))),
    ),
    neighbours: neighboursOf(dump, part),
    sysctl: {
      read: (path) => setting(dump, { settings: part('sysctls'), path }),
      kernelRelease: () => part('kernelRelease'),
    },
    sysfs: { read: (path) => sysfsFile(dump, { part, path }) },
    process: { read: () => `Cpus_allowed_list:\t${part('cpus') ?? ''}` },
    isLoaded: (module) => part('modules').get(module) ?? false,
  };
}

/** Throws a DumpError that names the first part that a dump does not have. */
export function requireParts(dump: OpenedDump, parts: readonly (keyof NodeParts)[]): void {
  const lacking = parts.find((part) => !Object.hasOwn(dump.node, part));
  if (lacking !== undefined) throw missing(dump, lacking);
}

function missing({ file, unread }: OpenedDump, what: string): DumpError {
  const reason = unread.find(({ part }) => part === what)?.reason ?? 'it was not written';
  return new DumpError(`${file} does not have ${what}: ${reason}`);
}

/** A part whose interface exists. */
function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('an interface of a module that is not loaded');
  return value;
}

function ipvsOf(part: () => NonNullable<NodeParts['ipvs']>): DumpSources['ipvs'] {
  let known: ReadonlyMap<string, NonNullable<NodeParts['ipvs']>['virtualServers'][number]>;
  return {
    virtualServers: async () => part().virtualServers,
    realServers: async (id) => {
      known ??= new Map(part().virtualServers.map((one) => [virtualServerKey(one), one]));
      return known.get(virtualServerKey(id))?.realServers ?? [];
    },
    info: () => part().info,
    timeouts: () => part().timeouts,
  };
}

function setsOf(part: () => NonNullable<NodeParts['sets']>): DumpSources['ipsets'] {
  return {
    sets: async () => part(),
    entries: async (name) => {
      const found = part().find(({ header }) => header.name === name);
      if (found === undefined) throw new KernelError(`list set ${name}`, 'ENOENT');
      return found.entries;
    },
  };
}

function linksOf(part: PartOf): DumpSources['links'] {
  return {
    addresses: async () => part('addresses'),
    names: async () => new Map(part('links').map(({ index, name }) => [index, name])),
    hasLink: (name) => part('links').some((link) => link.name === name),
    isDummy: (name) => part('links').some((link) => link.name === name && link.isDummy),
  };
}

function capabilities(iptables: NodeParts['iptables'], family: Family) {
  const found = iptables[family];
  if (found === undefined)
    throw new KernelError(`look for ${family} iptables`, 'EAFNOSUPPORT', {
      detail: 'the node of the dump has none',
    });
  return found;
}

function flowsOf(part: () => NonNullable<NodeParts['conntrack']>): DumpSources['conntrack'] {
  return {
    get isFiltering() {
      return part().isFiltering;
    },
    dump: async (filter, onFlow) => {
      const { flows, isWhole } = part();
      for (const flow of flows) if (isAskedFor(filter, flow)) onFlow(flow);
      if (!isWhole) throw new DumpError(`the dump has only the first ${flows.length} flows`);
    },
  };
}

function connectionsOf(
  part: () => NonNullable<NodeParts['ipvsConnections']>,
): NonNullable<DumpSources['connections']> {
  return {
    dump: async ({ limit }, onConnection) => {
      const { connections, isWhole, unreadable } = part();
      for (const connection of connections.slice(0, limit)) onConnection(connection);
      return { isWhole: isWhole && connections.length <= limit, unreadable };
    },
  };
}

/** An address whose route was not looked up has that of the tables, as far as they are whole. */
function neighboursOf(dump: OpenedDump, part: PartOf): DumpSources['neighbours'] {
  let known: ReadonlyMap<IpAddress, DumpedRoute>;
  const lookedUp = (address: IpAddress) => {
    known ??= new Map(part('routes').map((one) => [one.address, one]));
    return known.get(address);
  };
  const route = (address: IpAddress): Route => {
    const found = lookedUp(address);
    if (found !== undefined) return found.route;
    const { isWhole, routes } = part('routeTables');
    if (!isWhole) throw new DumpError(`${dump.file} does not have the route to ${address}`);
    return routeByTables(routes, address);
  };
  return {
    route,
    isLocal: (address) => route(address).kind === 'local',
    canReach: (address) => lookedUp(address)?.canReach ?? route(address).kind !== 'none',
    tableRoutes: async (limit) => {
      const { isWhole, routes } = part('routeTables');
      return { isWhole: isWhole && routes.length <= limit, routes: routes.slice(0, limit) };
    },
  };
}

function setting(
  dump: OpenedDump,
  { settings, path }: { readonly settings: DumpedSettings; readonly path: string },
): string | undefined {
  if (!settings.has(path)) throw missing(dump, path);
  return settings.get(path);
}

/** The files of bridges, of which the dump only says that they are some, and the settings. */
function sysfsFile(
  dump: OpenedDump,
  { part, path }: { readonly part: PartOf; readonly path: string },
): string | undefined {
  const [, device, file] = /^class\/net\/([^/]+)\/bridge\/(\w+)$/.exec(path) ?? [];
  const isBridge = part('links').some((link) => link.name === device && link.isBridge);
  if (file === 'bridge_id') return isBridge ? 'bridge' : undefined;
  if (file !== undefined && !isBridge) return undefined;
  return setting(dump, { settings: part('sysfs'), path });
}
