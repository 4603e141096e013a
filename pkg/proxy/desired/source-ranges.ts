import type { IpAddress } from '../../ip/address.ts';
import { contains, type Prefix, splitPrefix } from '../../ip/prefix.ts';
import { ipPortEntry } from '../../ipset/ipset.ts';
import type { SetEntry } from './footprint.ts';
import type { ServicePort } from './service.ts';
import type { SetId } from './sets.ts';

/**
 * The entries that let only some networks reach a load-balancer address of a port; none for a port without source ranges of its
 * family, which is open to everybody. The node's own processes are let in if its address lies in one of them; else they are not, by a
 * rule of their own ({@link isClosedToNode}).
 */
export function sourceRangeEntries(
  port: ServicePort,
  { address: ip, nodeAddress }: { address: IpAddress; nodeAddress: IpAddress },
): readonly SetEntry[] {
  const { sourceRanges, protocol, family } = port;
  if (sourceRanges.length === 0) return [];
  const place = { ip, protocol, port: port.port } as const;
  const entries: SetEntry[] = sourceRanges.flatMap(settable).map((net) => ({
    set: 'loadBalancerSourceCidr',
    family,
    entry: { type: 'hash:ip,port,net', ...place, net },
  }));
  if (sourceRanges.some((range) => contains(range, nodeAddress)))
    entries.push({
      set: 'loadBalancerSourceIp',
      family,
      entry: { type: 'hash:ip,port,ip', ...place, ip2: ip },
    });
  entries.push({ set: 'loadBalancerFw', family, entry: ipPortEntry(place) });
  return entries;
}

/** A set of networks refuses the one of all addresses: its two halves stand for it. */
function settable(network: Prefix): readonly Prefix[] {
  return network.length === 0 ? splitPrefix(network) : [network];
}

/** Whether entries of a front end close it to the node's own processes: a rule has to keep them away. */
export function isClosedToNode(entries: readonly SetEntry[]): boolean {
  return has(entries, 'loadBalancerFw') && !has(entries, 'loadBalancerSourceIp');
}

function has(entries: readonly SetEntry[], id: SetId): boolean {
  return entries.some(({ set }) => set === id);
}
