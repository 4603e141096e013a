import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { Yielder } from '../../runner/yielder.ts';
import type { FrontEnd } from '../desired/footprint.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import type { ReadonlyRealServerMap } from '../desired/real-server-map.ts';
import type { EntryEffect } from '../desired/sets.ts';
import { urgencyOf } from '../desired/urgency.ts';
import type { MirrorView } from '../observed/mirror.ts';
import { isLocalVip } from '../observed/vip-state.ts';
import { effectOf } from '../plan/entries.ts';

/** How many virtual servers are planned at once: a batch of addresses follows them, and then the event loop may turn. */
const planSize = 64;
/** How many real servers, wanted or held, the virtual servers of a part may have together. */
const realServerLimit = 2000;
/** How many entries are planned at once. */
const entryLimit = 2048;

/** Whether the keys are few enough to be planned together without a turn of the event loop. */
export function isOnePart(
  keys: Keys,
  { ledger, mirror }: { ledger: Ledger; mirror: MirrorView },
): boolean {
  const count = keys.virtualServers.size + keys.realServers.size;
  if (count > planSize || keys.addresses.size > planSize) return false;
  let entries = 0;
  keys.entries.forEach((some) => {
    entries += some.size;
  });
  if (entries > entryLimit) return false;
  let sum = 0;
  keys.virtualServers.forEach((key) => {
    sum += weightOf(key, { frontEnd: ledger.frontEnd(key), mirror });
  });
  keys.realServers.forEach((some) => {
    sum += some.size;
  });
  return sum <= realServerLimit || count === 1;
}

/** How many real servers a virtual server has, wanted or held. */
function weightOf(
  key: string,
  { frontEnd, mirror }: { frontEnd: FrontEnd | undefined; mirror: MirrorView },
): number {
  const wanted = frontEnd?.realServers.capacity ?? 0;
  return wanted + (mirror.virtualServers.get(key)?.realServers.size ?? 0);
}

/**
 * Keys in parts that are small enough to be planned in one stretch: entries that are wanted first, then virtual servers by urgency,
 * an address with the last of its virtual servers, then what is left of addresses, the ranges and what is left of entries.
 */
export async function* planParts(
  keys: Keys,
  { ledger, mirror, yielder }: { ledger: Ledger; mirror: MirrorView; yielder: Yielder },
): AsyncGenerator<Keys> {
  const unwanted = new Keys();
  yield* wantedEntries(keys, { ledger, unwanted });
  yield* virtualServerParts(keys, { ledger, mirror, yielder });
  yield* rangePart(keys);
  // A denial goes before what exempts from it.
  yield* withdrawals(unwanted, ['allow', 'deny', 'exempt']);
}

/**
 * Keys in parts with one virtual server each, for when planning them together threw. The parts come in the order of the phases of a
 * plan (`design.md` section 2): what is denied stays denied until the virtual servers and their addresses are gone.
 */
export function* singleParts(
  keys: Keys,
  { ledger, mirror }: { ledger: Ledger; mirror: MirrorView },
): Generator<Keys> {
  const unwanted = new Keys();
  yield* wantedEntries(keys, { ledger, unwanted });
  const leavingBound: string[] = [];
  for (const key of keys.allVirtualServers()) {
    if (isLeavingBound(key, { ledger, mirror })) leavingBound.push(key);
    else yield onlyVirtualServer(key, keys);
  }
  yield* withdrawals(unwanted, ['allow']);
  for (const key of leavingBound) yield onlyVirtualServer(key, keys);
  yield* addressParts(keys, () => true);
  yield* rangePart(keys);
  yield* withdrawals(unwanted, ['deny', 'exempt']);
}

/** Whether a virtual server is to be deleted while its address is bound, or may be. */
function isLeavingBound(
  key: string,
  { ledger, mirror }: { ledger: Ledger; mirror: MirrorView },
): boolean {
  const held = mirror.virtualServers.get(key)?.virtualServer;
  const isLeaving = held !== undefined && ledger.frontEnd(key) === undefined;
  return isLeaving && isLocalVip(held.address, mirror) !== false;
}

function onlyVirtualServer(key: string, from: Keys): Keys {
  const part = new Keys();
  addVirtualServerParts(part, { key, realServers: realServersIn(from, key) });
  return part;
}

/** The single real servers of a virtual server that the keys name; `undefined` if all of it is meant. */
function realServersIn(keys: Keys, key: string): SomeRealServers | undefined {
  return keys.virtualServers.has(key) ? undefined : keys.realServers.get(key);
}

/** Adds a virtual server to a part: some of its real servers, or all of it. */
function addVirtualServerParts(
  part: Keys,
  { key, realServers }: { key: string; realServers: SomeRealServers | undefined },
): void {
  if (realServers === undefined) part.addVirtualServer(key);
  else part.addRealServers(key, realServers.values());
}

function* wantedEntries(
  keys: Keys,
  { ledger, unwanted }: { ledger: Ledger; unwanted: Keys },
): Generator<Keys> {
  let part = new Keys();
  let size = 0;
  for (const [set, entries] of keys.entries) {
    for (const [key, entry] of entries) {
      if (!ledger.wantsEntry(set, key)) {
        unwanted.addEntry(set, { key, entry });
        continue;
      }
      part.addEntry(set, { key, entry });
      if (++size < entryLimit) continue;
      yield part;
      part = new Keys();
      size = 0;
    }
  }
  if (size > 0) yield part;
}

/** Entries of some sets, by their effect: those of one effect before those of the next. */
function* withdrawals({ entries }: Keys, effects: readonly EntryEffect[]): Generator<Keys> {
  const rank = (set: string) => effects.indexOf(effectOf(set));
  const chosen = [...entries].filter(([set]) => rank(set) >= 0);
  for (const [set, some] of chosen.sort(([one], [other]) => rank(one) - rank(other))) {
    let part = new Keys();
    let size = 0;
    for (const [key, entry] of some) {
      part.addEntry(set, { key, entry });
      if (++size < entryLimit) continue;
      yield part;
      part = new Keys();
      size = 0;
    }
    if (size > 0) yield part;
  }
}

type SomeRealServers = ReadonlyRealServerMap<RealServerId>;

interface VirtualServerPartsContext {
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly yielder: Yielder;
}

/** A virtual server that is to be planned. */
interface Candidate {
  readonly key: string;
  /** `undefined` if nobody wants it. */
  readonly address: IpAddress | undefined;
  /** The single ones that are planned; `undefined` for all of it. */
  readonly realServers: SomeRealServers | undefined;
  /** How many real servers, wanted or held, are planned with it. */
  readonly weight: number;
}

async function* virtualServerParts(
  keys: Keys,
  context: VirtualServerPartsContext,
): AsyncGenerator<Keys> {
  const { yielder } = context;
  const candidates = await byUrgency(keys, context);
  const lasts = new Map<IpAddress, Candidate>();
  for (const candidate of candidates) {
    if (candidate.address !== undefined) lasts.set(candidate.address, candidate);
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  let part = new Keys();
  let count = 0;
  let weight = 0;
  let addressCount = 0;
  for (const candidate of candidates) {
    const { address } = candidate;
    addVirtualServerParts(part, candidate);
    count++;
    if (address !== undefined && lasts.get(address) === candidate && keys.addresses.has(address)) {
      part.addAddress(address);
      addressCount++;
    }
    weight += candidate.weight;
    if (count < planSize && weight < realServerLimit) continue;
    yield part;
    part = new Keys();
    count = 0;
    weight = 0;
  }
  if (!part.isEmpty) yield part;
  if (addressCount < keys.addresses.size)
    yield* addressParts(keys, (address) => !lasts.has(address));
}

function* addressParts(
  { addresses }: Keys,
  isLeft: (address: IpAddress) => boolean,
): Generator<Keys> {
  let part = new Keys();
  for (const address of addresses) {
    if (!isLeft(address)) continue;
    part.addAddress(address);
    if (part.addresses.size < planSize) continue;
    yield part;
    part = new Keys();
  }
  if (!part.isEmpty) yield part;
}

/** The ranges, which are few. Their routes make VIPs reachable whose virtual servers are planned before. */
function* rangePart({ ranges }: Keys): Generator<Keys> {
  if (ranges.size === 0) return;
  const part = new Keys();
  for (const range of ranges) part.addRange(range);
  yield part;
}

/** In one pass that yields: sorting tens of thousands would hold the event loop for long. */
async function byUrgency(
  keys: Keys,
  { ledger, mirror, yielder }: VirtualServerPartsContext,
): Promise<readonly Candidate[]> {
  const classes: Candidate[][] = [[], [], []];
  for (const key of keys.allVirtualServers()) {
    const frontEnd = ledger.frontEnd(key);
    const address = frontEnd?.virtualServer.address;
    const realServers = realServersIn(keys, key);
    const weight = realServers?.size ?? weightOf(key, { frontEnd, mirror });
    classes[urgencyOf(frontEnd)]?.push({ key, address, realServers, weight });
    if (yielder.isDueAmongMany) await yielder.yieldIfDue();
  }
  return classes.flat();
}
