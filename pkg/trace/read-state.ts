import { parseChainsInPieces } from '../firewall/saved-rule.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import { type IpSets, readWholeSet, type SetStatus } from '../ipset/ipset.ts';
import { type Ipvs, virtualServerKey } from '../ipvs/ipvs.ts';
import type { Links } from '../links/links.ts';
import {
  type KernelState,
  type SavedTables,
  SetIndex,
  type TracedSet,
  type TracedVirtualServer,
} from './state.ts';

/** The interfaces that a state is read through. */
export interface KernelSources {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'>;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'>;
  readonly links: Pick<Links, 'addresses'>;
  /** The output of `iptables-save` and `ip6tables-save`, of each flavour that holds rules. */
  readonly rules: Readonly<Record<Family, readonly string[]>>;
}

/** Lets other work run if it has waited for some time; returns `undefined` if it need not. */
export type Pause = () => Promise<void> | undefined;

/**
 * Reads everything that a trace needs. Throws what the interfaces throw. `pause` is called after each short step, as there may be many
 * thousand of everything.
 */
export async function readKernelState(
  sources: KernelSources,
  { pause = () => undefined }: { readonly pause?: Pause } = {},
): Promise<KernelState> {
  const { ipvs, ipsets, links, rules } = sources;
  const virtualServers = new Map<string, TracedVirtualServer>();
  for (const virtualServer of await ipvs.virtualServers()) {
    const realServers = await ipvs.realServers(virtualServer);
    virtualServers.set(virtualServerKey(virtualServer), { virtualServer, realServers });
    await pause();
  }
  const sets = new Map<string, TracedSet>();
  for (const status of await ipsets.sets()) {
    const set = await readSet(ipsets, status, pause);
    if (set !== undefined) sets.set(status.header.name, set);
  }
  const addresses = new Map<IpAddress, string>();
  await inPieces(await links.addresses(), pause, ({ address, link }) =>
    addresses.set(address, link),
  );
  const tables = {
    IPv4: await parsedRules(rules.IPv4, pause),
    IPv6: await parsedRules(rules.IPv6, pause),
  };
  return { tables, sets, virtualServers, addresses, outputs: new Map() };
}

/** Reads a set; `undefined` if it is gone. If the interface cannot represent all its entries, the set is unreadable. */
async function readSet(
  ipsets: KernelSources['ipsets'],
  listed: SetStatus,
  pause: Pause,
): Promise<TracedSet | undefined> {
  if (listed.header.type === 'other' || listed.hasExtensions) return 'unreadable';
  const whole = await readWholeSet(ipsets, listed);
  if (whole === undefined) return undefined;
  const { status, entries } = whole;
  const { type } = status.header;
  if (type === 'other' || status.hasExtensions || entries.length !== status.entryCount)
    return 'unreadable';
  const index = new SetIndex(type);
  await inPieces(entries, pause, (entry) => index.add(entry));
  return index;
}

async function parsedRules(
  texts: readonly string[],
  pause: Pause,
): Promise<readonly SavedTables[]> {
  const parsed: SavedTables[] = [];
  for (const text of texts)
    parsed.push(await parseChainsInPieces(text, { isSkipped: () => false, pause }));
  return parsed;
}

/** How many items are taken between two pauses: less than a millisecond of work. */
const pieceItems = 500;

/** Takes each item, and pauses after each piece of them. */
export async function inPieces<Item>(
  items: Iterable<Item>,
  pause: Pause,
  take: (item: Item) => void,
): Promise<void> {
  let count = 0;
  for (const item of items) {
    take(item);
    if (++count % pieceItems === 0) await pause();
  }
}
