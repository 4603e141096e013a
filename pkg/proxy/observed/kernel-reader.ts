import { isNotFound } from '../../errno/errno.ts';
import {
  type Family,
  familyOf,
  type IpAddress,
  isIPv6LinkLocal,
  isLoopback,
} from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import { type Entry, entryKey, type IpSets } from '../../ipset/ipset.ts';
import {
  type Ipvs,
  keyedVirtualServer,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { Links } from '../../links/links.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { deviceName } from '../desired/device.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { setIds, setName } from '../desired/sets.ts';
import type { LeftoverSets } from './leftover-sets.ts';
import type { Mirror } from './mirror.ts';
import { isOurs } from './ownership.ts';

/** What the kernel is read with, and what is needed to tell what is ours. */
export interface AuditContext {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly mirror: Mirror;
  /** What is wanted is asked for, and not changed. */
  readonly ledger: Pick<Ledger, 'claim' | 'addresses' | 'entries' | 'virtualServers'>;
  readonly leftovers: LeftoverSets;
  readonly families: readonly Family[];
  /** Networks whose virtual servers are somebody else's unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly now: () => number;
}

/** How long one step may go on before it yields, in milliseconds. */
const stepTime = 8;

/**
 * Reads the kernel into the mirror, step by step. After each step everything of which it gives the keys is as the
 * kernel holds it, to be planned anew; between two steps the kernel may be written, within one it must not.
 */
export class Audit {
  readonly #steps: AsyncGenerator<Keys, void, void>;

  constructor(context: AuditContext) {
    this.#steps = steps(context);
  }

  /** Takes the next step. The keys that it read; `undefined` after the last one. */
  async next(token: MutexToken): Promise<Keys | undefined> {
    token.check();
    const { value } = await this.#steps.next();
    return value ?? undefined;
  }
}

async function* steps(context: AuditContext): AsyncGenerator<Keys, void, void> {
  yield await readAll(context);
  yield* readSets(context);
  yield* readServers(context);
}

/** Reads the device and every address. Node addresses leave out loopback and IPv6 link-local ones. */
export async function readAddresses(context: AuditContext, token: MutexToken): Promise<Keys> {
  token.check();
  return await readAll(context);
}

async function readAll({ links, mirror, ledger }: AuditContext): Promise<Keys> {
  const keys = new Keys();
  for (const address of mirror.bound) keys.addAddress(address);
  mirror.recordDevice({ isPresent: links.hasLink(deviceName) });
  const bound = new Set<IpAddress>();
  const elsewhere = new Set<IpAddress>();
  for (const { link, address } of await links.addresses()) {
    if (link !== deviceName && !isLoopback(address) && !isIPv6LinkLocal(address))
      elsewhere.add(address);
    if (link !== deviceName || isIPv6LinkLocal(address)) continue;
    bound.add(address);
    keys.addAddress(address);
  }
  mirror.recordAddresses(bound);
  mirror.recordNodeAddresses(elsewhere);
  for (const address of ledger.addresses()) keys.addAddress(address);
  return keys;
}

async function* readSets(context: AuditContext): AsyncGenerator<Keys> {
  const all = await context.ipsets.sets();
  const present = new Set(all.map(({ header }) => header.name));
  for (const wrong of await context.leftovers.repair(all)) present.delete(wrong);
  for (const family of context.families) {
    for (const id of setIds) {
      const name = setName(id, family);
      if (present.has(name)) yield await readSet(name, context);
      else yield missingSet(name, context);
    }
  }
}

/** A set may have tens of thousands of entries: the event loop turns while they are taken in. */
async function readSet(name: string, { ipsets, mirror, ledger, now }: AuditContext): Promise<Keys> {
  const keys = new Keys();
  const held = new Map<string, Entry>();
  const yielder = new Yielder(now);
  try {
    for (const entry of await ipsets.entries(name)) {
      const key = entryKey(entry);
      held.set(key, entry);
      keys.addEntry(name, { key, entry });
      if (yielder.isDue) await yielder.yieldIfDue();
    }
  } catch (error) {
    // Somebody has just destroyed it.
    if (isNotFound(error)) return missingSet(name, { mirror, ledger });
    throw error;
  }
  mirror.recordSet(name, held);
  for (const entry of ledger.entries(name)) {
    const key = entryKey(entry);
    if (!held.has(key)) keys.addEntry(name, { key, entry });
    if (yielder.isDue) await yielder.yieldIfDue();
  }
  return keys;
}

function missingSet(
  name: string,
  { mirror, ledger }: Pick<AuditContext, 'mirror' | 'ledger'>,
): Keys {
  const keys = new Keys();
  mirror.recordSet(name, undefined);
  for (const entry of ledger.entries(name)) keys.addEntry(name, { key: entryKey(entry), entry });
  return keys;
}

async function* readServers(context: AuditContext): AsyncGenerator<Keys> {
  const { ipvs, mirror, ledger, families, now } = context;
  const candidates = new Map<string, VirtualServerId>();
  for (const [key, { virtualServer }] of mirror.virtualServers) candidates.set(key, virtualServer);
  for (const virtualServer of await ipvs.virtualServers()) {
    if (families.includes(familyOf(virtualServer.address)))
      candidates.set(virtualServerKey(virtualServer), virtualServer);
  }
  let keys = new Keys();
  // What neither the dump nor we know of is made. If the dump passed it over, the kernel says so then, and it is read.
  for (const key of ledger.virtualServers()) if (!candidates.has(key)) keys.addVirtualServer(key);
  let since = now();
  for (const [key, virtualServer] of candidates) {
    await readOrDoubt(key, { virtualServer, context });
    keys.addVirtualServer(key);
    if (now() - since < stepTime) continue;
    yield keys;
    keys = new Keys();
    since = now();
  }
  yield keys;
}

/** One that cannot be read is unknown from then on, and is read before it is planned: the others do not wait for it. */
async function readOrDoubt(
  key: string,
  { virtualServer, context }: { virtualServer: VirtualServerId; context: AuditContext },
): Promise<void> {
  try {
    await readServer(key, { virtualServer, context });
  } catch {
    context.mirror.recordUnknownServer(key, virtualServer);
  }
}

/** Reads one virtual server by its key, so that one of ours which a dump passed over is not taken for missing. */
export async function readServer(
  key: string,
  {
    virtualServer,
    context,
  }: {
    virtualServer: VirtualServerId;
    context: Pick<AuditContext, 'ipvs' | 'mirror' | 'ledger' | 'excluded'>;
  },
): Promise<void> {
  const { ipvs, mirror, ledger, excluded } = context;
  const found: VirtualServer | undefined = ipvs.virtualServer(virtualServer);
  if (found === undefined) {
    mirror.recordServer(key, undefined);
    return;
  }
  const realServers = await ipvs.realServers(virtualServer);
  const isKnown = ledger.claim(key) !== undefined || mirror.virtualServers.has(key);
  if (!isKnown && !isOurs(virtualServer, { mirror, excluded, realServers })) return;
  mirror.recordServer(key, { virtualServer: keyedVirtualServer(found), realServers });
}
