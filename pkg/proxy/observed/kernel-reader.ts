import { type Family, familyOf } from '../../ip/address.ts';
import type { Prefix } from '../../ip/prefix.ts';
import { type Entry, entriesIfThere, entryKey, type IpSets } from '../../ipset/ipset.ts';
import {
  type Ipvs,
  keyedVirtualServer,
  type RealServer,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { LinkAddress } from '../../links/links.ts';
import type { MutexToken } from '../../runner/mutex.ts';
import { Yielder } from '../../runner/yielder.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { setIds, setName } from '../desired/sets.ts';
import type { Reporter } from '../reporter.ts';
import { type LeftoverSets, readLeftoverSets } from './leftover-sets.ts';
import type { Mirror } from './mirror.ts';
import { isOurs } from './ownership.ts';
import { isSettled } from './settled.ts';
import { readVips, type VipReadingContext } from './vip-reader.ts';

/** What an audit reads the kernel with, and what tells which objects are ours. */
export interface AuditContext extends VipReadingContext {
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'virtualServer' | 'realServers'>;
  readonly ipsets: Pick<IpSets, 'sets' | 'entries'>;
  /** The wanted state. Only read. */
  readonly ledger: Pick<
    Ledger,
    'frontEnd' | 'entries' | 'entryCount' | 'virtualServers' | 'wantsEntry'
  >;
  readonly families: readonly Family[];
  /** Networks whose virtual servers are somebody else's unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly reporter: Pick<Reporter, 'stageTook'>;
  readonly now: () => number;
}

/** How long one step may go on before it yields, in milliseconds. */
const stepTime = 8;

/** The result of one step of an audit. */
export interface AuditStep {
  /** The keys of what the step read and what is not known to be as wanted, to be planned again. */
  readonly keys: Keys;
  /**
   * The addresses of the other devices, after the step that reads VIPs: the routes that are wanted are to follow them before the next
   * step. VIPs are compared then, so their keys are not among those of the step.
   */
  readonly elsewhere?: readonly LinkAddress[];
  /** The sets that are not as they must be, after the step that lists sets: to be replaced before the next step. */
  readonly leftovers?: LeftoverSets;
}

/** Reads the kernel into the mirror, step by step. The kernel may be written between two steps, and must not be within one. */
export class Audit {
  readonly #context: AuditContext;
  readonly #steps: AsyncGenerator<AuditStep, void, void>;

  constructor(context: AuditContext) {
    this.#context = context;
    this.#steps = steps(context);
  }

  /** Takes the next step; `undefined` after the last one. */
  async next(token: MutexToken): Promise<AuditStep | undefined> {
    token.check();
    const { now, reporter } = this.#context;
    const began = now();
    const { value } = await this.#steps.next();
    reporter.stageTook('observed', now() - began);
    return value ?? undefined;
  }
}

async function* steps(context: AuditContext): AsyncGenerator<AuditStep, void, void> {
  yield { keys: new Keys(), elsewhere: await readVips(context) };
  const { present, leftovers } = await listSets(context);
  yield { keys: new Keys(), leftovers };
  for await (const read of readSets(context, present)) yield { keys: read };
  for await (const read of readVirtualServers(context)) yield { keys: read };
}

/** Reads which sets exist. Those with another header than they should have, other than the size, leave the mirror. */
async function listSets(
  context: AuditContext,
): Promise<{ readonly present: ReadonlySet<string>; readonly leftovers: LeftoverSets }> {
  const all = await context.ipsets.sets();
  const present = new Set(all.map(({ header }) => header.name));
  for (const { header } of all)
    if ('maxElements' in header) context.mirror.recordSetSize(header.name, header.maxElements);
  const leftovers = await readLeftoverSets(all, context);
  for (const { wanted, isUsable } of leftovers.sets) {
    if (isUsable) continue;
    present.delete(wanted.name);
    context.mirror.recordSet(wanted.name, undefined);
  }
  return { present, leftovers };
}

async function* readSets(
  context: AuditContext,
  present: ReadonlySet<string>,
): AsyncGenerator<Keys> {
  for (const family of context.families) {
    for (const id of setIds) {
      const name = setName(id, family);
      // The mirror also has sets that were replaced or created since the list was read.
      const isPresent = present.has(name) || context.mirror.sets.has(name);
      yield await readSet(name, { ...context, isPresent });
    }
  }
}

/**
 * Reads one set. It may have tens of thousands of entries, so the event loop turns while they are compared. The mirror's are
 * those of the ledger, and stay so where the set is as known.
 */
async function readSet(
  name: string,
  { ipsets, mirror, ledger, now, isPresent }: AuditContext & { readonly isPresent: boolean },
): Promise<Keys> {
  const keys = new Keys();
  const yielder = new Yielder(now);
  const found = isPresent ? await entriesIfThere(ipsets, name) : undefined;
  const known = mirror.sets.get(name);
  let isAsKnown = known !== undefined && known.size === found?.length;
  for (const entry of found ?? []) {
    const key = entryKey(entry);
    if (known?.has(key) !== true) isAsKnown = false;
    if (!ledger.wantsEntry(name, key)) keys.addEntry(name, { key, entry });
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  if (isAsKnown) mirror.confirmSet(name);
  else {
    const wanted = ledger.entries(name);
    mirror.recordSet(name, found && (await sharedEntries(found, wanted, yielder)));
  }
  for (const entry of ledger.entries(name)) {
    const key = entryKey(entry);
    if (mirror.hasEntry(name, key) !== true) keys.addEntry(name, { key, entry });
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  return keys;
}

/** The entries of a set by their keys. Those that are wanted are the ledger's own objects and keys, as there may be 50,000. */
async function sharedEntries(
  found: readonly Entry[],
  wanted: Iterable<Entry>,
  yielder: Yielder,
): Promise<Map<string, Entry>> {
  const others = new Map<string, Entry>();
  for (const entry of found) {
    others.set(entryKey(entry), entry);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  const held = new Map<string, Entry>();
  for (const entry of wanted) {
    const key = entryKey(entry);
    if (others.delete(key)) held.set(key, entry);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  for (const [key, entry] of others) {
    held.set(key, entry);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  return held;
}

/** A virtual server that the kernel or the mirror has. */
interface Candidate {
  readonly id: VirtualServerId;
  /** Its state in the dump; `undefined` if the dump did not have it. */
  readonly dumped: VirtualServer | undefined;
  /** Its state in the mirror at that time. */
  readonly known: VirtualServer | undefined;
}

async function* readVirtualServers(context: AuditContext): AsyncGenerator<Keys> {
  const { ledger, now } = context;
  const candidates = await listVirtualServers(context);
  let keys = new Keys();
  // A wanted one that neither has is added. If the dump missed it, the kernel answers EEXIST, and it is read.
  const yielder = new Yielder(now);
  for (const key of ledger.virtualServers()) {
    if (!candidates.has(key)) keys.addVirtualServer(key);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  let since = now();
  for (const [key, candidate] of candidates) {
    await readOrMarkUnknown(key, { candidate, context });
    if (!isKnownSettled(key, context)) keys.addVirtualServer(key);
    if (now() - since < stepTime) continue;
    yield keys;
    keys = new Keys();
    since = now();
  }
  yield keys;
}

function isKnownSettled(key: string, { ledger, mirror }: AuditContext): boolean {
  if (mirror.unknownVirtualServers.has(key)) return false;
  return isSettled(ledger.frontEnd(key), mirror.virtualServers.get(key));
}

/** Dumps all virtual servers, and adds those that only the mirror has. */
async function listVirtualServers(context: AuditContext): Promise<ReadonlyMap<string, Candidate>> {
  const { ipvs, mirror, families } = context;
  const candidates = new Map<string, Candidate>();
  for (const [key, { virtualServer }] of mirror.virtualServers)
    candidates.set(key, { id: virtualServer, dumped: undefined, known: virtualServer });
  for (const found of await ipvs.virtualServers()) {
    if (!families.includes(familyOf(found.address))) continue;
    const dumped = keyedVirtualServer(found);
    const key = virtualServerKey(dumped);
    candidates.set(key, { id: dumped, dumped, known: candidates.get(key)?.known });
  }
  return candidates;
}

/** Reads one virtual server. If that fails, it is recorded as unknown, and is read again before it is planned. */
async function readOrMarkUnknown(
  key: string,
  { candidate, context }: { candidate: Candidate; context: AuditContext },
): Promise<void> {
  const { id, dumped } = candidate;
  const { ipvs, mirror } = context;
  try {
    const isCertain = dumped !== undefined && !isOutdated(key, candidate, mirror);
    const realServers = isCertain ? await ipvs.realServers(id) : [];
    // The kernel also answers with none if somebody has deleted the virtual server since the dump.
    const areGone = realServers.length === 0 && mirror.virtualServers.get(key)?.realServers.size;
    if (isCertain && !areGone) record(key, { found: dumped, realServers, context });
    else await readVirtualServer(key, { virtualServer: id, context });
  } catch {
    context.mirror.recordUnknownVirtualServer(key, id);
  }
}

/** Whether a virtual server was written since the dump, so that the dump is out of date. */
function isOutdated(key: string, { known }: Candidate, mirror: Mirror): boolean {
  if (mirror.unknownVirtualServers.has(key)) return true;
  return mirror.virtualServers.get(key)?.virtualServer !== known;
}

type VirtualServerContext = Pick<AuditContext, 'ipvs' | 'mirror' | 'ledger' | 'excluded'>;

/** Reads one virtual server by its key, with its real servers. */
export async function readVirtualServer(
  key: string,
  { virtualServer, context }: { virtualServer: VirtualServerId; context: VirtualServerContext },
): Promise<void> {
  const { ipvs, mirror } = context;
  const found = ipvs.virtualServer(virtualServer);
  if (found === undefined) {
    mirror.recordVirtualServer(key, undefined);
    return;
  }
  const realServers = await ipvs.realServers(virtualServer);
  record(key, { found: keyedVirtualServer(found), realServers, context });
}

/** Records a virtual server and its real servers if they are ours. */
function record(
  key: string,
  {
    found,
    realServers,
    context: { mirror, ledger, excluded },
  }: {
    found: VirtualServer;
    realServers: readonly RealServer[];
    context: Omit<VirtualServerContext, 'ipvs'>;
  },
): void {
  const isKnown = ledger.frontEnd(key) !== undefined || mirror.virtualServers.has(key);
  if (!isKnown && !isOurs(found, { mirror, excluded, realServers })) return;
  mirror.recordVirtualServer(key, { virtualServer: found, realServers });
}
