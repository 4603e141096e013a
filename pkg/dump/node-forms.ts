import type { IpvsConnection } from '../connections/connections.ts';
import { type Flow, type Tuple, tcpStates } from '../conntrack/conntrack.ts';
import type { FirewallCapabilities } from '../firewall/firewall.ts';
import type { Family } from '../ip/address.ts';
import { protocols } from '../ip/protocol.ts';
import type { Entry, HashType, OtherSetHeader, SetHeader } from '../ipset/ipset.ts';
import { noPrefix, type RealServerStatus, type Statistics } from '../ipvs/ipvs.ts';
import type { LinkAddress } from '../links/links.ts';
import { type Route, routeTables, type TableRoute } from '../neighbours/neighbours.ts';
import type { NftTableId } from '../nftables/nftables.ts';
import type { LocalRoute } from '../routes/routes.ts';
import {
  address,
  boolean,
  counter,
  type Form,
  largeRecord,
  lines,
  list,
  maybe,
  name,
  network,
  oneOf,
  port,
  record,
  rule,
  table,
  union,
  whole,
  word,
} from './form.ts';
import type {
  DumpedConnections,
  DumpedFlows,
  DumpedIptables,
  DumpedIpvs,
  DumpedLink,
  DumpedRoute,
  DumpedRouteTables,
  DumpedRules,
  DumpedSet,
  DumpedTables,
  DumpedVirtualServer,
  NodeParts,
} from './node-parts.ts';

const u32 = whole({ max: 0xffff_ffff });
const family = oneOf<Family>('IPv4', 'IPv6');
const protocol = oneOf(...protocols);
/** A name of the kernel or of a program: `rr`, `hash:ip,port`, `1.2.1`. */
const kernelWord = word(/^[\w.,:+~-]{1,64}$/);
const prefixLength = whole({ max: 128 });

const statistics = record<Statistics>({
  connections: counter,
  incomingPackets: counter,
  outgoingPackets: counter,
  incomingBytes: counter,
  outgoingBytes: counter,
});

const realServer = record<RealServerStatus>({
  address,
  port,
  weight: whole({ min: -0x8000_0000, max: 0x7fff_ffff }),
  forwarding: oneOf('masquerade', 'local', 'tunnel', 'direct', 'bypass'),
  upperThreshold: u32,
  lowerThreshold: u32,
  activeConnections: u32,
  inactiveConnections: u32,
  persistentConnections: u32,
  statistics,
});

const virtualServer = largeRecord<DumpedVirtualServer>({
  address,
  protocol,
  port,
  scheduler: kernelWord,
  flags: u32,
  timeout: u32,
  prefixLength: whole({ min: noPrefix, max: 128 }),
  persistenceEngine: kernelWord,
  statistics,
  realServers: lines(realServer),
});

const ipvs = largeRecord<DumpedIpvs>({
  info: record({ version: kernelWord, connectionTableSize: u32 }),
  timeouts: record({ tcp: u32, tcpFin: u32, udp: u32 }),
  virtualServers: lines(virtualServer),
});

const setName = name('set');

const hashHeader = record<Extract<SetHeader, { readonly hashSize: number }>>({
  name: setName,
  type: oneOf<HashType>('hash:ip', 'hash:ip,port', 'hash:ip,port,ip', 'hash:ip,port,net'),
  family,
  hashSize: u32,
  maxElements: u32,
});

const setHeader = union<'type', SetHeader | OtherSetHeader>('type', {
  'hash:ip': hashHeader,
  'hash:ip,port': hashHeader,
  'hash:ip,port,ip': hashHeader,
  'hash:ip,port,net': hashHeader,
  'bitmap:port': record<Extract<SetHeader, { readonly type: 'bitmap:port' }>>({
    name: setName,
    type: oneOf('bitmap:port'),
    firstPort: port,
    lastPort: port,
  }),
  other: record<OtherSetHeader>({ name: setName, type: oneOf('other'), typeName: kernelWord }),
});

type EntryOf<Type extends Entry['type']> = Extract<Entry, { readonly type: Type }>;

const setEntry = union<'type', Entry>('type', {
  'hash:ip': record<EntryOf<'hash:ip'>>({ type: oneOf('hash:ip'), ip: address }),
  'hash:ip,port': record<EntryOf<'hash:ip,port'>>({
    type: oneOf('hash:ip,port'),
    ip: address,
    protocol,
    port,
  }),
  'hash:ip,port,ip': record<EntryOf<'hash:ip,port,ip'>>({
    type: oneOf('hash:ip,port,ip'),
    ip: address,
    protocol,
    port,
    ip2: address,
  }),
  'hash:ip,port,net': record<EntryOf<'hash:ip,port,net'>>({
    type: oneOf('hash:ip,port,net'),
    ip: address,
    protocol,
    port,
    net: network,
  }),
  'bitmap:port': record<EntryOf<'bitmap:port'>>({ type: oneOf('bitmap:port'), port }),
});

const set = largeRecord<DumpedSet>({
  header: setHeader,
  hasExtensions: boolean,
  references: u32,
  entryCount: u32,
  entries: lines(setEntry),
});

const device = name('device');

const link = record<DumpedLink>({
  index: u32,
  name: device,
  isDummy: boolean,
  isBridge: boolean,
});

const route = union<'kind', Route>('kind', {
  local: record<Extract<Route, { readonly kind: 'local' }>>({ kind: oneOf('local') }),
  none: record<Extract<Route, { readonly kind: 'none' }>>({ kind: oneOf('none') }),
  device: record<Extract<Route, { readonly kind: 'device' }>>({
    kind: oneOf('device'),
    device: maybe(u32),
    gateway: maybe(address),
    source: maybe(address),
  }),
});

const flavour = oneOf('nft', 'legacy');

const iptables = maybe(
  record<FirewallCapabilities>({
    randomFully: boolean,
    flavour,
    description: word(/^[\w.() -]{1,64}$/),
  }),
);

const tuple = record<Tuple>({
  source: address,
  destination: address,
  sourcePort: port,
  destinationPort: port,
});

const flow = record<Flow>({
  protocol,
  original: tuple,
  reply: tuple,
  zone: port,
  mark: u32,
  id: maybe(u32),
  status: u32,
  tcpState: maybe(oneOf(...tcpStates)),
});

const connection = record<IpvsConnection>({
  protocol,
  client: address,
  clientPort: port,
  address,
  port,
  realAddress: address,
  realPort: port,
  state: kernelWord,
});

/** The device in the path of a setting is replaced. */
const settings = table(maybe(word(/^[\w ,.\t:-]{0,4096}$/)), (path, replace) => {
  const [, before, name, after] = /^(.*(?:conf|net)\/)([^/]+)(\/[^/]+)$/.exec(path) ?? [];
  const isDevice = name !== undefined && /^(net\/ipv[46]\/conf|class\/net)\/$/.test(before ?? '');
  return isDevice ? `${before}${replace.name('device', name)}${after}` : path;
});

/** How each part of a node is written and read. */
export const nodeForms: { readonly [Part in keyof NodeParts]: Form<NodeParts[Part]> } = {
  modules: table(boolean),
  ipvs: maybe(ipvs),
  sets: maybe(lines(set)),
  links: lines(link),
  addresses: lines(record<LinkAddress>({ link: device, address, prefixLength })),
  localRoutes: lines(record<LocalRoute>({ network, source: maybe(address) })),
  routes: lines(record<DumpedRoute>({ address, route, canReach: boolean })),
  routeTables: largeRecord<DumpedRouteTables>({
    isWhole: boolean,
    routes: lines(
      record<TableRoute>({ table: oneOf(...routeTables), network, priority: u32, route }),
    ),
  }),
  iptables: record<DumpedIptables>({ IPv4: iptables, IPv6: iptables }),
  rules: lines(largeRecord<DumpedRules>({ family, flavour, lines: lines(rule) })),
  nftables: maybe(
    record<DumpedTables>({
      tables: list(record<NftTableId>({ family, name: name('table') })),
      others: list(name('table')),
    }),
  ),
  conntrack: maybe(
    largeRecord<DumpedFlows>({ isWhole: boolean, isFiltering: boolean, flows: lines(flow) }),
  ),
  ipvsConnections: maybe(
    largeRecord<DumpedConnections>({
      isWhole: boolean,
      unreadable: whole(),
      connections: lines(connection),
    }),
  ),
  kernelRelease: name('release'),
  sysctls: settings,
  sysfs: settings,
  cpus: maybe(word(/^[\d,-]{1,4096}$/)),
};
