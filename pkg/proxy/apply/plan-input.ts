import type { Family } from '../../ip/address.ts';
import { entryKey } from '../../ipset/ipset.ts';
import type { RealServerId, VirtualServer } from '../../ipvs/ipvs.ts';
import type { FrontEnd, SetEntry } from '../desired/footprint.ts';
import type { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { noLocalEntry } from '../desired/no-local.ts';
import type { WantedRealServer } from '../desired/real-servers.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import { entryEffect, type SetId, setIds, setName } from '../desired/sets.ts';
import { urgencyOf } from '../desired/urgency.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import type { HeldRealServer } from '../observed/held-real-servers.ts';
import { comingContent, type HeldVirtualServer, type MirrorView } from '../observed/mirror.ts';
import {
  allRanges,
  isLocalVip,
  isRangeNeeded,
  rangeState,
  vipState,
} from '../observed/vip-state.ts';
import type {
  PlanInput,
  PlannedEntry,
  PlannedMark,
  PlannedRealServer,
  PlannedVirtualServer,
} from '../plan/input.ts';

/** The state of real servers that drain or that were replaced, as values. */
export interface Departures {
  /** How a real server drains. */
  drainOf(virtualServer: VirtualServer, id: RealServerId): PlannedRealServer['drain'];
  /** Whether a real server must not be added yet. */
  isResting(virtualServer: VirtualServer, realServer: WantedRealServer): boolean;
  /** Whether {@link isResting} may hold for any at all. */
  readonly hasResting: boolean;
}

/** Where a plan's input is taken from. */
export interface PlanSources {
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly vipRoutes: VipRoutes;
  readonly departures: Departures;
  readonly families: readonly Family[];
  readonly rotation: number;
}

/** Collects the input of a plan for some keys from the current state. */
export function planInputFor(keys: Keys, sources: PlanSources): PlanInput {
  const { mirror, families, rotation } = sources;
  return {
    families,
    rotation,
    hasDevice: mirror.hasDevice,
    missingSets: missingSets(sources),
    rules: families.map((family) => {
      const status = mirror.rules.get(family);
      const areKnown = comingContent(status) !== undefined;
      return {
        family,
        needed: neededRules(family, sources),
        status,
        denying: areKnown ? noSets : denyingSets(family, mirror),
      };
    }),
    entries: keys.entries.size === 0 ? none : plannedEntries(keys, sources),
    addresses:
      keys.addresses.size === 0
        ? none
        : Array.from(keys.addresses, (address) => vipState(address, sources)),
    ranges: keys.ranges.size === 0 ? none : plannedRanges(keys, sources),
    virtualServers: keys
      .allVirtualServers()
      .map((key) => plannedVirtualServer(key, { keys, sources })),
  };
}

/** Where iptables mode serves, its nat rules stay until everything that ours lead to stands. */
function neededRules(family: Family, { ledger, mirror }: PlanSources): RuleContent {
  const content = ledger.ruleContent(family);
  return mirror.servedByIptables.has(family) ? { ...content, leavesNat: true } : content;
}

const none: readonly never[] = Object.freeze([]);

/** The sets whose entries do not allow. */
const denying = setIds.filter((id) => entryEffect(id) !== 'allow');
const noSets: ReadonlySet<SetId> = new Set();

function denyingSets(family: Family, mirror: MirrorView): ReadonlySet<SetId> {
  const isHeld = (id: SetId) => (mirror.sets.get(setName(id, family))?.size ?? 0) > 0;
  return denying.some(isHeld) ? new Set(denying.filter(isHeld)) : noSets;
}

function missingSets({ mirror, families }: PlanSources): PlanInput['missingSets'] {
  const isMissing = (set: SetId, family: Family) => !mirror.sets.has(setName(set, family));
  const areMissing = families.some((family) => setIds.some((set) => isMissing(set, family)));
  if (!areMissing) return none;
  return families.flatMap((family) =>
    setIds.filter((set) => isMissing(set, family)).map((set) => ({ set, family })),
  );
}

function plannedEntries({ entries }: Keys, { ledger, mirror }: PlanSources): PlanInput['entries'] {
  const planned: PlannedEntry[] = [];
  for (const [set, some] of entries)
    some.forEach((entry, key) => {
      const isWanted = ledger.wantsEntry(set, key);
      planned.push({ set, entry, isWanted, isHeld: mirror.hasEntry(set, key) });
    });
  return planned;
}

function plannedRanges({ ranges }: Keys, sources: PlanSources): PlanInput['ranges'] {
  return [...allRanges(sources)]
    .filter(([text]) => ranges.has(text))
    .map(([, range]) => ({
      ...rangeState(range, sources),
      isNeeded: isRangeNeeded(range, sources),
    }));
}

/** The input for one virtual server. If the kernel does not hold it, all its real servers are planned, even if the keys name single ones. */
function plannedVirtualServer(
  key: string,
  { keys, sources }: { keys: Keys; sources: PlanSources },
): PlannedVirtualServer {
  const { ledger, mirror } = sources;
  const frontEnd = ledger.frontEnd(key);
  const held = mirror.virtualServers.get(key);
  const address = (frontEnd ?? held)?.virtualServer.address;
  const isNew = frontEnd !== undefined && held === undefined;
  const alike = isNew && !sources.departures.hasResting ? frontEnd.realServers.alike() : undefined;
  return {
    key,
    urgency: urgencyOf(frontEnd),
    frontEnd,
    held: held?.virtualServer,
    isAddressHeld: address === undefined ? false : isLocalVip(address, mirror),
    marks: frontEnd === undefined || held !== undefined ? [] : marksOf(frontEnd, { keys, mirror }),
    denial:
      frontEnd?.realServers.isFallback === true
        ? markOf(noLocalEntry(frontEnd.virtualServer), { keys, mirror })
        : undefined,
    realServers:
      frontEnd === undefined || alike !== undefined
        ? none
        : realServersOf(frontEnd, { key, keys, held, sources }),
    alike,
  };
}

function marksOf(
  { entries }: FrontEnd,
  { keys, mirror }: { keys: Keys; mirror: MirrorView },
): readonly PlannedMark[] {
  return entries.map((entry) => markOf(entry, { keys, mirror }));
}

function markOf(
  { set: id, family, entry }: SetEntry,
  { keys, mirror }: { keys: Keys; mirror: MirrorView },
): PlannedMark {
  const set = setName(id, family);
  const key = entryKey(entry);
  const isPlanned = keys.entries.get(set)?.has(key) === true;
  return { set: id, family, entry, isHeld: mirror.hasEntry(set, key), isPlanned };
}

/** The wanted real servers, then those that are held and not wanted. */
function realServersOf(
  { virtualServer, realServers: wanted }: FrontEnd,
  {
    key,
    keys,
    held,
    sources: { departures },
  }: { key: string; keys: Keys; held: HeldVirtualServer | undefined; sources: PlanSources },
): readonly PlannedRealServer[] {
  if (held === undefined)
    return wanted.values().map((one) => ({
      address: one.address,
      port: one.port,
      wanted: one,
      held: undefined,
      drain: 'none',
      isResting: departures.isResting(virtualServer, one),
    }));
  const planned: PlannedRealServer[] = [];
  const add = (id: RealServerId, { one, there }: Both) => {
    const isAway = there?.state.weight === 0;
    planned.push({
      address: id.address,
      port: id.port,
      wanted: one,
      held: there,
      drain: isAway ? departures.drainOf(virtualServer, id) : 'none',
      isResting:
        there === undefined && one !== undefined && departures.isResting(virtualServer, one),
    });
  };
  const { realServers } = held;
  const some = keys.virtualServers.has(key) ? undefined : keys.realServers.get(key);
  if (some === undefined) {
    for (const one of wanted.values()) add(one, { one, there: realServers.get(one) });
    realServers.forEach((there, id) => {
      if (wanted.get(id) === undefined) add(id, { one: undefined, there });
    });
  } else some.forEach((id) => add(id, { one: wanted.get(id), there: realServers.get(id) }));
  return planned;
}

/** A real server as it is wanted and as it is held, by address and port. */
interface Both {
  readonly one: WantedRealServer | undefined;
  readonly there: HeldRealServer | undefined;
}
