import type { IpAddress } from '../../pkg/ip/address.ts';
import { keyedVirtualServer, type VirtualServer, virtualServerKey } from '../../pkg/ipvs/ipvs.ts';
import { noOptions } from '../../pkg/kube/annotations.ts';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type { PodIdentity } from '../../pkg/kube/types.ts';
import type { SetEntry } from '../../pkg/proxy/desired/footprint.ts';
import type { RuleContent } from '../../pkg/proxy/desired/rule-content.ts';
import type { SetId } from '../../pkg/proxy/desired/sets.ts';
import type { RuleStatus } from '../../pkg/proxy/observed/mirror.ts';
import type {
  PlanInput,
  PlannedEntry,
  PlannedMark,
  PlannedRealServer,
  PlannedRules,
  PlannedVirtualServer,
} from '../../pkg/proxy/plan/input.ts';
import { ip } from './addresses.ts';
import { virtualServerOf } from './virtual-server.ts';

// What the tests of the plan say as data: a virtual server that is held, and what may differ of it.

/** Rules for some sets that have entries. */
export function contentOf(...sets: readonly SetId[]): RuleContent {
  return {
    nonEmpty: new Set(sets),
    closedToNode: new Map(),
    closedRanges: new Map(),
    leavesNat: false,
  };
}

/** What the rules should be for. */
export const needed = contentOf('clusterIp', 'ipvsIps');
const written: RuleStatus = { written: needed, requested: undefined, isFailing: false };

/** The rules of IPv4, in a state that differs from written and right; `undefined` if nothing is known of them. */
export function rules(status: Partial<RuleStatus> | undefined, over: Partial<PlannedRules> = {}) {
  const known = status === undefined ? undefined : { ...written, ...status };
  return [{ family: 'IPv4' as const, needed, status: known, denying: new Set<SetId>(), ...over }];
}

/** Rules that keep the node away from an address. */
export function closedTo(address: IpAddress): RuleContent {
  const frontEnd = { address, protocol: 'TCP', port: 80 } as const;
  return { ...needed, closedToNode: new Map([[virtualServerKey(frontEnd), frontEnd]]) };
}

/** Nothing differs. */
export const right: PlanInput = {
  families: ['IPv4'],
  rotation: 0,
  hasDevice: true,
  missingSets: [],
  rules: rules({}),
  entries: [],
  addresses: [],
  ranges: [],
  virtualServers: [],
};

/** The address of the virtual server. */
export const vip = ip('172.30.0.1');
/** The address of another one. */
export const otherVip = ip('172.30.0.2');

/** The virtual server 172.30.0.1:80/TCP unless said otherwise. */
export function virtualServer(over: Partial<VirtualServer> = {}): VirtualServer {
  return keyedVirtualServer(virtualServerOf(vip, over));
}

/** The entries that a bound virtual server needs. */
export function entriesOf({ address, protocol, port }: VirtualServer): readonly SetEntry[] {
  return [
    {
      set: 'clusterIp',
      family: 'IPv4',
      entry: { type: 'hash:ip,port', ip: address, protocol, port },
    },
    { set: 'ipvsIps', family: 'IPv4', entry: { type: 'hash:ip', ip: address } },
  ];
}

/** A virtual server that is wanted, bound, and held unless it is new. */
export function plannedVirtualServer(
  over: Partial<PlannedVirtualServer> & { readonly of?: VirtualServer; readonly isNew?: true } = {},
): PlannedVirtualServer {
  const { of = virtualServer(), isNew = false, ...rest } = over;
  const entries = entriesOf(of);
  return {
    key: virtualServerKey(of),
    urgency: 2,
    frontEnd: { virtualServer: of, isBound: true, entries, options: noOptions },
    held: isNew ? undefined : of,
    isAddressHeld: !isNew,
    marks: isNew ? entries.map((entry): PlannedMark => ({ ...entry, ...standing })) : [],
    denial: undefined,
    realServers: [],
    alike: undefined,
    ...rest,
  };
}

const standing = { isHeld: true, isPlanned: false };
/** A real server as the kernel holds it. */
export const state = {
  weight: 1,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
} as const;
const id = { address: ip('10.0.0.1'), port: 8080 };

/** A real server on 10.0.0.1:8080 that is wanted, or held, or both. */
export function realServer(over: {
  readonly wanted?: { readonly weight?: 0 | 1; readonly podUid?: PodIdentity };
  readonly held?:
    | Partial<typeof state>
    | { readonly weight: number; readonly podUid?: PodIdentity };
  readonly drain?: PlannedRealServer['drain'];
  readonly isResting?: true;
}): PlannedRealServer {
  const { wanted, held, drain = 'none', isResting = false } = over;
  const { podUid: heldPod, ...heldState } = { podUid: packUid('pod'), ...held };
  return {
    ...id,
    wanted: wanted && { ...id, weight: 1, podUid: packUid('pod'), ...wanted },
    held: held && { podUid: heldPod, state: { ...state, ...heldState } },
    drain,
    isResting,
  };
}

/** Virtual servers that may differ. */
export function withVirtualServers(
  ...virtualServers: readonly PlannedVirtualServer[]
): Partial<PlanInput> {
  return { virtualServers };
}

/** A virtual server that stands, one of whose real servers may differ. */
export function withRealServer(one: Parameters<typeof realServer>[0]): Partial<PlanInput> {
  return withVirtualServers(plannedVirtualServer({ realServers: [realServer(one)] }));
}

/** An entry of a set that may differ. */
export function entry(set: string, over: Pick<PlannedEntry, 'isWanted' | 'isHeld'>): PlannedEntry {
  return { set, entry: { type: 'hash:ip', ip: vip }, ...over };
}

/** A set whose entries allow. */
export const allowing = 'KUBE-CLUSTER-IP';
/** A set whose entries deny. */
export const denying = 'KUBE-IPVS-IPS';
/** It is wanted and not held. */
export const coming = { isWanted: true, isHeld: false };
/** It is held and not wanted. */
export const going = { isWanted: false, isHeld: true };
/** An address that is wanted and not bound. */
export const unbound = { address: vip, isWanted: true, isHeld: false };
