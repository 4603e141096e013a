import type { IpvsConnection } from '../connections/connections.ts';
import { type Flow, isUntranslated } from '../conntrack/conntrack.ts';
import { familyOf, type IpAddress, printHostPort } from '../ip/address.ts';
import { contains, prefix } from '../ip/prefix.ts';
import type { RealServer } from '../ipvs/ipvs.ts';
import { errorText } from '../log/error-text.ts';
import type { Packet } from '../trace/packet.ts';
import type { TracedVirtualServer } from '../trace/state.ts';
import type { NodeSources } from './node-sources.ts';
import type { Entries } from './node-state.ts';

/** How many entries of IPVS are read: reading takes quadratic time. */
const connectionLimit = 20_000;
/** How many entries about one packet are kept of each table. */
const keptLimit = 100;

/** Reads the entries of conntrack and IPVS between the ends of a packet. What cannot be read is added to `unread`. */
export async function readEntries(
  { conntrack, connections }: Pick<NodeSources, 'conntrack' | 'connections'>,
  { packet, unread }: { readonly packet: Packet; readonly unread: string[] },
): Promise<Entries> {
  const { protocol, source, destination } = packet;
  const flows = new Collection<Flow>();
  const found = new Collection<IpvsConnection>();
  try {
    const filter = { family: familyOf(source), protocol, source, destination };
    await conntrack?.dump(filter, (flow) => {
      if (isOfPacket(packet, flow)) flows.add(flow);
    });
  } catch (error) {
    unread.push(`conntrack: ${errorText(error)}`);
  }
  try {
    const dump = await connections?.dump({ limit: connectionLimit }, (connection) => {
      if (isConnectionOf(packet, connection)) found.add(connection);
    });
    if (dump?.isWhole === false)
      unread.push(`connections of IPVS beyond the first ${connectionLimit}`);
    if (dump !== undefined && dump.unreadable > 0)
      unread.push(`${dump.unreadable} connections of IPVS that are not understood`);
  } catch (error) {
    unread.push(`the connections of IPVS: ${errorText(error)}`);
  }
  if (flows.more + found.more > 0)
    unread.push(`${flows.more + found.more} further entries between the same ends`);
  return { flows: flows.kept, connections: found.kept };
}

/** The first entries, and how many more there are. */
class Collection<Entry> {
  readonly kept: Entry[] = [];
  more = 0;

  add(entry: Entry): void {
    if (this.kept.length < keptLimit) this.kept.push(entry);
    else this.more++;
  }
}

function isOfPacket(packet: Packet, { protocol, original }: Flow): boolean {
  return (
    protocol === packet.protocol &&
    original.source === packet.source &&
    original.destination === packet.destination &&
    original.destinationPort === packet.port &&
    isSourcePort(packet, original.sourcePort)
  );
}

/** Persistence templates are of a network of clients, and have no client port. */
function isConnectionOf(packet: Packet, connection: IpvsConnection): boolean {
  const { protocol, address, port, client, clientPort } = connection;
  if (protocol !== packet.protocol || address !== packet.destination || port !== packet.port)
    return false;
  return clientPort === 0 || (client === packet.source && isSourcePort(packet, clientPort));
}

function isSourcePort({ sourcePort }: Packet, port: number): boolean {
  return sourcePort === undefined || sourcePort === port;
}

/** What an entry of an earlier packet decides for packets that belong to it. */
export interface EntryEffect {
  /** `conntrack` for a flow, `ipvs` for a connection, `persistence` for a template, which new connections follow too. */
  readonly kind: 'conntrack' | 'ipvs' | 'persistence';
  /** 0 for a template. */
  readonly sourcePort: number;
  /** Where its packets go; `undefined` if they are not translated. */
  readonly target: Target | undefined;
  /** The state of the connection; '' without one. */
  readonly state: string;
  /** Why its packets do not reach a real server of today; `undefined` if they do. */
  readonly stale: string | undefined;
}

interface Target {
  readonly address: IpAddress;
  readonly port: number;
}

/** The effects of entries, given the virtual server of today. */
export function entryEffects(
  { flows, connections }: Entries,
  {
    packet,
    virtualServer,
  }: { readonly packet: Packet; readonly virtualServer: TracedVirtualServer | undefined },
): readonly EntryEffect[] {
  const templates = connections.filter(
    ({ clientPort, client }) =>
      clientPort !== 0 ||
      (virtualServer !== undefined && isClientOf(virtualServer, { client, packet })),
  );
  return [
    ...flows.map((flow) => flowEffect(flow, virtualServer)),
    ...templates.map((connection) => connectionEffect(connection, virtualServer)),
  ];
}

function isClientOf(
  { virtualServer }: TracedVirtualServer,
  { client, packet }: { client: IpAddress; packet: Packet },
): boolean {
  const { prefixLength } = virtualServer;
  if (prefixLength < 0) return client === packet.source;
  return contains(prefix(client, prefixLength), packet.source);
}

function flowEffect(flow: Flow, virtualServer: TracedVirtualServer | undefined): EntryEffect {
  const { original, reply, tcpState = '' } = flow;
  const common = { kind: 'conntrack', sourcePort: original.sourcePort, state: tcpState } as const;
  if (isUntranslated(flow)) {
    const stale =
      virtualServer === undefined
        ? undefined
        : 'it was made before the virtual server stood, and is not translated';
    return { ...common, target: undefined, stale };
  }
  const target = { address: reply.source, port: reply.sourcePort };
  return { ...common, target, stale: staleness(target, virtualServer) };
}

function connectionEffect(
  { clientPort, realAddress, realPort, state }: IpvsConnection,
  virtualServer: TracedVirtualServer | undefined,
): EntryEffect {
  const kind = clientPort === 0 ? 'persistence' : 'ipvs';
  const target = { address: realAddress, port: realPort };
  return { kind, sourcePort: clientPort, target, state, stale: staleness(target, virtualServer) };
}

/** Without a virtual server nothing is known of who should answer. */
function staleness(
  target: Target,
  virtualServer: TracedVirtualServer | undefined,
): string | undefined {
  if (virtualServer === undefined || realServerAt(virtualServer, target) !== undefined)
    return undefined;
  return `${printHostPort(target.address, target.port)} is no real server any more`;
}

/** The real server at an address and port. One with port 0 has that of the packet. */
function realServerAt(
  { realServers }: TracedVirtualServer,
  { address, port }: Target,
): RealServer | undefined {
  return realServers.find(
    (one) => one.address === address && (one.port === port || one.port === 0),
  );
}
