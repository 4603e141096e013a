import type { Family } from '../../ip/address.ts';
import type { Entry } from '../../ipset/ipset.ts';
import type { RealServerId, VirtualServer } from '../../ipvs/ipvs.ts';
import type { FrontEnd, SetEntry } from '../desired/footprint.ts';
import type { AlikeRealServers, WantedRealServer } from '../desired/real-servers.ts';
import type { RuleContent } from '../desired/rule-content.ts';
import type { SetId } from '../desired/sets.ts';
import type { HeldRealServer } from '../observed/held-real-servers.ts';
import type { RuleStatus } from '../observed/mirror.ts';
import type { RouteState, VipState } from '../observed/vip-state.ts';

/** Whether the kernel holds something; `undefined` if that is unknown. */
export type Known = boolean | undefined;

/** An entry of a set that may differ. */
export interface PlannedEntry {
  /** The set's name in the kernel. */
  readonly set: string;
  readonly entry: Entry;
  readonly isWanted: boolean;
  readonly isHeld: Known;
}

/** The route of a range of VIPs that may differ. */
export interface PlannedRange extends RouteState {
  /** It must stay although it is not wanted: a Service has a VIP in it that nothing else makes local yet. */
  readonly isNeeded: boolean;
}

/** An entry that a front end needs. */
export interface PlannedMark extends SetEntry {
  readonly isHeld: Known;
  /** It is among the entries that are planned anyway. */
  readonly isPlanned: boolean;
}

/** A real server that is wanted, or held, or both, and that may differ. */
export interface PlannedRealServer extends RealServerId {
  readonly wanted: WantedRealServer | undefined;
  readonly held: HeldRealServer | undefined;
  /** Whether the graceful termination manager drains it already, and whether it deletes it as soon as possible. */
  readonly drain: 'none' | 'draining' | 'endingNow';
  /** It must not be added yet: a real server of another pod with its address was deleted a moment ago. */
  readonly isResting: boolean;
}

/** A virtual server that may differ, or some of its real servers. */
export interface PlannedVirtualServer {
  readonly key: string;
  /** The order in which virtual servers are added: the lowest number first. */
  readonly urgency: number;
  /** `undefined` if nobody wants it. */
  readonly frontEnd:
    | Pick<FrontEnd, 'virtualServer' | 'isBound' | 'entries' | 'options'>
    | undefined;
  readonly held: VirtualServer | undefined;
  /** Whether its address is local by our doing: on the dummy device, or by a route. */
  readonly isAddressHeld: Known;
  /** The entries of a front end whose virtual server is not held. */
  readonly marks: readonly PlannedMark[];
  /** The entry without which its real servers must not stand, as they are elsewhere in place of local ones; `undefined` if they are not. */
  readonly denial: PlannedMark | undefined;
  readonly realServers: readonly PlannedRealServer[];
  /** All its real servers in place of those, if none is held and they are alike. */
  readonly alike: AlikeRealServers | undefined;
}

/** The rules of a family: what is wanted, and what is written. */
export interface PlannedRules {
  readonly family: Family;
  /** The content that the rules should have; the same object while it is unchanged. */
  readonly needed: RuleContent;
  readonly status: RuleStatus | undefined;
  /** The sets whose entries deny, or exempt from a denial, and of which the kernel holds entries; none if the present rules are known. */
  readonly denying: ReadonlySet<SetId>;
}

/** The input of a plan: values of one moment. Objects that it does not name are not planned. */
export interface PlanInput {
  /** The families that are served. */
  readonly families: readonly Family[];
  /** The index at which the order of real servers begins that are added together; it differs from node to node. */
  readonly rotation: number;
  readonly hasDevice: boolean;
  /** The sets that the kernel lacks. */
  readonly missingSets: readonly { readonly set: SetId; readonly family: Family }[];
  readonly rules: readonly PlannedRules[];
  readonly entries: readonly PlannedEntry[];
  readonly addresses: readonly VipState[];
  readonly ranges: readonly PlannedRange[];
  readonly virtualServers: readonly PlannedVirtualServer[];
}
