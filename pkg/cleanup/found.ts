import { isUnsupported } from '../errno/errno.ts';
import type { Firewall, PrintedRules, RuleTables } from '../firewall/firewall.ts';
import { type IpAddress, isIPv6LinkLocal, isLoopback } from '../ip/address.ts';
import { type Entry, entriesIfThere, entryKey, type IpSets } from '../ipset/ipset.ts';
import type { Ipvs, RealServer, VirtualServer } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import { errorText } from '../log/error-text.ts';
import type { NftTableId, NftTables } from '../nftables/nftables.ts';
import { deviceName } from '../proxy/desired/device.ts';
import type { LocalRoute, Routes } from '../routes/routes.ts';
import { proxySets } from './names.ts';

/** The interfaces to all parts of the kernel in which a kube-proxy leaves something. */
export interface CleanedKernel {
  /** `undefined` if the kernel has no IPVS, and so no virtual servers. */
  readonly ipvs: Ipvs | undefined;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly routes: Routes;
  readonly rules: RuleTables;
  /** Removes our own rules from tables that {@link rules} cannot print. */
  readonly firewall: Pick<Firewall, 'remove'>;
  readonly nftTables: NftTables;
}

/** A virtual server of any program. */
export interface FoundVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: readonly RealServer[];
}

/** The device kube-ipvs0, and whether it is a dummy device, as kube-proxy makes it. */
export type FoundDevice = 'dummy' | 'other' | 'none';

/** What was found. A part that could not be read is `undefined`, and what depends on it is not deleted. */
export interface Found {
  readonly virtualServers: readonly FoundVirtualServer[] | undefined;
  readonly device: FoundDevice | undefined;
  /** The addresses of the device, and those of all other devices without loopback and link-local ones. */
  readonly addresses:
    | { readonly bound: readonly IpAddress[]; readonly node: readonly IpAddress[] }
    | undefined;
  /** Local routes of ours. */
  readonly routes: readonly LocalRoute[] | undefined;
  /** Sets with one of our names and their entries; none for a set of another type. */
  readonly sets: ReadonlyMap<string, ReadonlyMap<string, Entry>> | undefined;
  readonly rules: readonly PrintedRules[] | undefined;
  readonly nftTables: readonly NftTableId[] | undefined;
  /** Why parts could not be read. */
  readonly problems: readonly string[];
}

/** Reads everything that a kube-proxy may have left. A part that the kernel does not support is empty; a part that cannot be read is not. */
export async function find(kernel: CleanedKernel): Promise<Found> {
  const { ipvs, links, rules, nftTables } = kernel;
  const problems: string[] = [];
  const attempt = async <T>(read: () => T | Promise<T>, missing: T): Promise<T | undefined> => {
    try {
      return await read();
    } catch (error) {
      if (isUnsupported(error)) return missing;
      problems.push(errorText(error));
      return undefined;
    }
  };
  return {
    virtualServers: await attempt(() => (ipvs === undefined ? [] : readVirtualServers(ipvs)), []),
    device: await attempt(() => findDevice(links), 'none'),
    addresses: await attempt(() => readAddresses(links), { bound: [], node: [] }),
    routes: await attempt(() => kernel.routes.routes(), []),
    sets: await attempt(() => readSets(kernel.ipsets), new Map()),
    rules: await attempt(() => rules.read(), []),
    nftTables: await attempt(() => nftTables.tables(), []),
    problems,
  };
}

async function readVirtualServers(ipvs: Ipvs): Promise<readonly FoundVirtualServer[]> {
  const found: FoundVirtualServer[] = [];
  for (const virtualServer of await ipvs.virtualServers())
    found.push({ virtualServer, realServers: await ipvs.realServers(virtualServer) });
  return found;
}

function findDevice(links: Links): FoundDevice {
  if (links.isDummy(deviceName)) return 'dummy';
  return links.hasLink(deviceName) ? 'other' : 'none';
}

async function readAddresses(links: Links): Promise<NonNullable<Found['addresses']>> {
  const bound: IpAddress[] = [];
  const node: IpAddress[] = [];
  for (const { link, address } of await links.addresses()) {
    if (isLoopback(address) || isIPv6LinkLocal(address)) continue;
    (link === deviceName ? bound : node).push(address);
  }
  return { bound, node };
}

async function readSets(ipsets: IpSets): Promise<NonNullable<Found['sets']>> {
  ipsets.protocol(); // throws with a text if the kernel has no ipset
  const found = new Map<string, ReadonlyMap<string, Entry>>();
  for (const { header } of await ipsets.sets()) {
    if (!proxySets.has(header.name)) continue;
    const entries = header.type === 'other' ? [] : await entriesIfThere(ipsets, header.name);
    if (entries !== undefined)
      found.set(header.name, new Map(entries.map((entry) => [entryKey(entry), entry])));
  }
  return found;
}
