import { familyOf } from '../../ip/address.ts';
import { contains, type Prefix } from '../../ip/prefix.ts';
import { type Entry, entryKey } from '../../ipset/ipset.ts';
import { type RealServer, type VirtualServer, type VirtualServerId } from '../../ipvs/ipvs.ts';
import { noOptions } from '../../kube/annotations.ts';
import type { FrontEnd, SetEntry } from '../desired/footprint.ts';
import { noRealServers } from '../desired/real-servers.ts';
import { type SetId, setName } from '../desired/sets.ts';
import type { MirrorView } from './mirror.ts';
import { isOwnVip, wasBound } from './vip-state.ts';

/** The virtual server that the start-up probe adds and deletes again. */
const probeVirtualServer: { readonly address: string; readonly port: number } = {
  address: '198.51.100.0',
  port: 20_000,
};

/** The sets that name virtual servers by address, protocol and port. */
const virtualServerSets: readonly SetId[] = [
  'clusterIp',
  'externalIp',
  'externalIpLocal',
  'loadBalancer',
  'loadBalancerFw',
  'loadBalancerLocal',
  'nodePortSctp',
  'nodePortLocalSctp',
  'noLocal',
];

/** The sets that name node ports of a protocol by number alone. */
const portSets: Readonly<Record<VirtualServerId['protocol'], readonly SetId[]>> = {
  TCP: ['nodePortTcp', 'nodePortLocalTcp'],
  UDP: ['nodePortUdp', 'nodePortLocalUdp'],
  SCTP: [],
};

/** The entries of our sets that match a virtual server, as far as the kernel holds them. */
function entriesOf(virtualServer: VirtualServerId, mirror: MirrorView): readonly SetEntry[] {
  const { address: ip, protocol, port } = virtualServer;
  const family = familyOf(ip);
  const isHeld = ({ set, entry }: SetEntry) =>
    mirror.sets.get(setName(set, family))?.has(entryKey(entry)) ?? false;
  const make = (sets: readonly SetId[], entry: Entry) =>
    sets.map((set): SetEntry => ({ set, family, entry }));
  const candidates = [
    ...make(virtualServerSets, { type: 'hash:ip,port', ip, protocol, port }),
    ...(wasBound(ip, mirror)
      ? make(['ipvsIps'], { type: 'hash:ip', ip })
      : make(portSets[protocol], { type: 'bitmap:port', port })),
  ];
  return candidates.filter(isHeld);
}

/**
 * Whether a virtual server that no Service wants may be deleted: only if our sets, the dummy device, a route of ours or the probe's address show
 * that a kube-proxy made it, and no excluded network contains it. All others belong to somebody else.
 */
export function isOurs(
  virtualServer: VirtualServerId,
  {
    mirror,
    excluded,
    realServers,
  }: { mirror: MirrorView; excluded: readonly Prefix[]; realServers: readonly RealServer[] },
): boolean {
  const { address } = virtualServer;
  if (excluded.some((network) => contains(network, address))) return false;
  const isProbe =
    address === probeVirtualServer.address && virtualServer.port === probeVirtualServer.port;
  if (isProbe || isOwnVip(address, mirror)) return true;
  if (mirror.sets.get(setName('ipvsIps', familyOf(address)))?.has(address)) return true;
  const entries = entriesOf(virtualServer, mirror);
  if (entries.some(({ entry }) => entry.type !== 'bitmap:port')) return true;
  const isPortOnly = entries.length > 0;
  const isLocal = mirror.nodeAddresses.includes(address);
  return (
    isPortOnly && (isLocal || realServers.every(({ forwarding }) => forwarding === 'masquerade'))
  );
}

/** The front end of a virtual server that was found in the kernel, with the entries and the address to delete along with it. */
export function foundFrontEnd(virtualServer: VirtualServer, mirror: MirrorView): FrontEnd {
  const isBound = wasBound(virtualServer.address, mirror);
  return {
    owner: undefined,
    virtualServer,
    addressKind: 'allocated',
    isBound,
    isExposed: !isBound,
    options: noOptions,
    policy: undefined,
    realServers: noRealServers,
    entries: entriesOf(virtualServer, mirror),
  };
}
