import type { Family } from '../ip/address.ts';
import type { IpSets, SetStatus } from '../ipset/ipset.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import {
  type KernelState,
  kernelState,
  type TracedServer,
  type TracedSet,
  tracedSet,
} from './state.ts';

/** The interfaces that a state is read through. */
export interface KernelSources {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'>;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'>;
  readonly links: Pick<Links, 'addresses'>;
  /** The output of `iptables-save` and `ip6tables-save`, of each flavour that holds rules. */
  readonly rules: Readonly<Record<Family, readonly string[]>>;
}

/** Reads everything that a trace needs. Throws what the interfaces throw. */
export async function readKernelState(sources: KernelSources): Promise<KernelState> {
  const { ipvs, ipsets, links, rules } = sources;
  const servers: TracedServer[] = [];
  for (const virtualServer of await ipvs.virtualServers())
    servers.push({ virtualServer, realServers: await ipvs.realServers(virtualServer) });
  const sets = new Map<string, TracedSet>();
  for (const status of await ipsets.sets())
    sets.set(status.header.name, await readSet(ipsets, status));
  return kernelState({ rules, sets, servers, addresses: await links.addresses() });
}

/** Reads a set. If the interface cannot represent all its entries, the set is unreadable. */
async function readSet(
  ipsets: KernelSources['ipsets'],
  { header, hasExtensions, entryCount }: SetStatus,
): Promise<TracedSet> {
  if (header.type === 'other' || hasExtensions) return 'unreadable';
  const entries = await ipsets.entries(header.name);
  return entries.length === entryCount ? tracedSet(header.type, entries) : 'unreadable';
}
