import type { Match, SetDirection } from '../firewall/firewall.ts';
import type { SavedMatch } from '../firewall/saved-match.ts';
import type { SavedRule } from '../firewall/saved-rule.ts';
import { addressBits, type IpAddress } from '../ip/address.ts';
import { contains, prefix } from '../ip/prefix.ts';
import { type Entry, entryKey } from '../ipset/ipset.ts';
import type { PacketView } from './packet.ts';
import { isNodeAddress, type KernelState, type KnownSet } from './state.ts';

/** Whether a condition is true for a packet, or why that is unknown. */
export type Judgement = boolean | { readonly unknown: string };

/** Whether a rule matches a packet. One false condition decides, even if others are unknown. */
export function ruleMatches(
  state: KernelState,
  packet: PacketView,
  { matches }: SavedRule,
): Judgement {
  let result: Judgement = true;
  for (const match of matches) {
    const judged = judge(state, packet, match);
    if (judged === false) return false;
    if (judged !== true) result = judged;
  }
  return result;
}

function judge(state: KernelState, packet: PacketView, match: SavedMatch): Judgement {
  const judged = positive(state, packet, match);
  const isNegated = 'not' in match && match.not === true;
  return typeof judged === 'boolean' ? judged !== isNegated : judged;
}

function positive(state: KernelState, packet: PacketView, match: SavedMatch): Judgement {
  switch (match.match) {
    case 'comment':
      return true;
    case 'protocol':
      return packet.protocol === match.protocol;
    case 'otherProtocol':
      return match.name === 'all';
    case 'destinationPort':
      return match.ranges.some(([first, last]) => packet.port >= first && packet.port <= last);
    case 'sourcePort':
      return withPort(packet, 'src', (port) =>
        match.ranges.some(([first, last]) => port >= first && port <= last),
      );
    case 'tcpFlags': {
      const flags = match.mask.filter((flag) => flag === 'SYN');
      return packet.protocol === 'TCP' && flags.join() === match.set.join();
    }
    case 'source':
      return ofSource(packet, (source) => contains(match.network, source));
    case 'destination':
      return contains(match.network, packet.destination);
    case 'inputInterface':
      return isInterface(packet.input, match.name);
    case 'outputInterface':
      return packet.output === undefined
        ? { unknown: `its route to ${packet.destination} is not known` }
        : isInterface(packet.output, match.name);
    case 'set':
      return inSet(state, packet, match);
    case 'mark':
      return (packet.mark & match.mask) >>> 0 === match.value;
    case 'connectionState':
      return match.states.includes('NEW');
    case 'sourceType':
      return packet.source === undefined || isNodeAddress(state, packet.source);
    case 'destinationType':
      return isNodeAddress(state, packet.destination);
    case 'physicalInput':
      return packet.isFromBridgePort;
    case 'ipvs':
      return isBalancedFrom(packet, match);
    case 'unknown':
      return { unknown: match.text };
  }
}

function ofSource(
  { source }: PacketView,
  judgeSource: (source: IpAddress) => Judgement,
): Judgement {
  return source === undefined
    ? { unknown: 'its source is the address that it was masqueraded with' }
    : judgeSource(source);
}

/** Whether an interface matches. A name that ends in `+` matches all that begin with the rest. */
function isInterface(device: string, name: string): boolean {
  return name.endsWith('+') ? device.startsWith(name.slice(0, -1)) : device === name;
}

/** xt_ipvs looks up the connection that IPVS has created. A first packet is in the ORIGINAL direction. */
function isBalancedFrom(
  { virtualServer }: PacketView,
  { address, protocol, port }: Extract<Match, { match: 'ipvs' }>,
): boolean {
  return (
    virtualServer?.address === address &&
    virtualServer.protocol === protocol &&
    virtualServer.port === port
  );
}

function inSet(
  { sets }: KernelState,
  packet: PacketView,
  { set: name, directions }: Extract<Match, { match: 'set' }>,
): Judgement {
  const set = sets.get(name);
  if (set === undefined) return { unknown: `there is no set ${name}` };
  if (set === 'unreadable') return { unknown: `set ${name} has entries of an unknown kind` };
  // The kernel finds no packet in a set with more dimensions than the rule has, or of the other family.
  if (directions.length < dimensions[set.type]) return false;
  if (set.family !== undefined && set.family !== packet.family) return false;
  return contained(set, packet, directions);
}

const dimensions: Readonly<Record<Entry['type'], number>> = {
  'hash:ip': 1,
  'bitmap:port': 1,
  'hash:ip,port': 2,
  'hash:ip,port,ip': 3,
  'hash:ip,port,net': 3,
};

function contained(
  set: KnownSet,
  packet: PacketView,
  [first, second, third]: readonly (SetDirection | undefined)[],
): Judgement {
  const { protocol } = packet;
  const { type } = set;
  if (type === 'bitmap:port') {
    // ip_set_get_ip_port() supports TCP and UDP only.
    if (protocol === 'SCTP') return false;
    return withPort(packet, first, (port) => set.keys.has(entryKey({ type, port })));
  }
  return withAddress(packet, first, (ip) => {
    if (type === 'hash:ip') return set.keys.has(entryKey({ type, ip }));
    return withPort(packet, second, (port) => {
      if (type === 'hash:ip,port') return set.keys.has(entryKey({ type, ip, protocol, port }));
      return withAddress(packet, third, (ip2) => {
        if (type === 'hash:ip,port,ip')
          return set.keys.has(entryKey({ type, ip, protocol, port, ip2 }));
        return [...set.prefixLengths].some(
          (length) =>
            length <= addressBits(packet.family) &&
            set.keys.has(entryKey({ type, ip, protocol, port, net: prefix(ip2, length) })),
        );
      });
    });
  });
}

function withAddress(
  packet: PacketView,
  direction: SetDirection | undefined,
  judgeAddress: (address: IpAddress) => Judgement,
): Judgement {
  return direction === 'src' ? ofSource(packet, judgeAddress) : judgeAddress(packet.destination);
}

function withPort(
  { port, sourcePort }: PacketView,
  direction: SetDirection | undefined,
  judgePort: (port: number) => Judgement,
): Judgement {
  if (direction !== 'src') return judgePort(port);
  return sourcePort === undefined
    ? { unknown: 'its source port is not given' }
    : judgePort(sourcePort);
}
