import type { IpAddress } from '../ip/address.ts';
import type { Protocol } from '../ip/protocol.ts';

// The answer of `/debug/ipvs`, as JSON. `docs/debug-ipvs.md` describes it. A field that changes its meaning or goes raises the version.

/** The `kind` of an answer. */
export const statusKind = 'IpvsStatus';
/** The `version` of its form. */
export const statusVersion = 1;

/** A time: RFC 3339 in UTC, with milliseconds. */
export type Time = string;

/** One page of what a node serves. */
export interface StatusReport {
  readonly kind: typeof statusKind;
  readonly version: typeof statusVersion;
  readonly time: Time;
  /** What concerns the whole node; on the first page only. */
  readonly node: NodeStatus | null;
  /** In the order of their `namespace/name`. */
  readonly services: readonly ServiceStatus[];
  /** The parameter that asks for the next page; `null` on the last one. */
  readonly continue: string | null;
  /** Of how many virtual servers of this page connections were asked for and not read; those of their real servers are `null`. */
  readonly unreadVirtualServers: number;
}

/** The state of the node, and what happened on it lately. */
export interface NodeStatus {
  readonly name: string;
  readonly program: string;
  readonly started: Time;
  /** Whether the first sync has ended. */
  readonly hasSynced: boolean;
  readonly counts: {
    readonly services: number;
    readonly failedServices: number;
    readonly conflicts: number;
    readonly draining: number;
  };
  /** The last syncs, the youngest first. */
  readonly syncs: readonly SyncStatus[];
  /** The last hour by minute, the oldest first. A minute in which nothing happened is left out. */
  readonly minutes: readonly MinuteStatus[];
  /** Objects that all Services share and that failed. */
  readonly failures: readonly FailureStatus[];
  readonly moreFailures: number;
}

/** One sync. */
export interface SyncStatus {
  readonly time: Time;
  readonly kind: 'first' | 'changes' | 'audit';
  readonly milliseconds: number;
  readonly isSuccess: boolean;
}

/** What happened in one minute. */
export interface MinuteStatus {
  /** Its beginning. */
  readonly time: Time;
  readonly syncs: number;
  readonly failedSyncs: number;
  /** How long they took together, and the longest of them. */
  readonly milliseconds: number;
  readonly longest: number;
  /** Drift: differences that audits found in the kernel and repaired, by kind of change. */
  readonly repairs: Readonly<Record<string, number>>;
  /** The first of these changes, as the log has them. */
  readonly examples: readonly string[];
}

/** What is served of one Service, and what is not. */
export interface ServiceStatus {
  /** Both are empty for virtual servers that a start found and whose Service is not known. */
  readonly namespace: string;
  readonly name: string;
  /** Whether there is such a Service. Of one that was deleted, virtual servers may drain. */
  readonly isDeleted: boolean;
  readonly unhonoured: readonly UnhonouredStatus[];
  readonly moreUnhonoured: number;
  readonly failures: readonly FailureStatus[];
  readonly moreFailures: number;
  readonly virtualServers: readonly VirtualServerReport[];
  /** How many others it has: the parameter `address` shows one of them. */
  readonly moreVirtualServers: number;
}

/** A part of a Service that is not done on this node. */
export interface UnhonouredStatus {
  /** One of the words that `docs/behaviour.md` explains. */
  readonly reason: string;
  readonly field: string;
  readonly value: string;
}

/** Something that failed and is tried again. */
export interface FailureStatus {
  readonly object: string;
  readonly error: string;
  readonly since: Time;
  readonly nextAttempt: Time;
}

/** Where the address and port of a virtual server come from. */
export type AddressKind = 'clusterIP' | 'nodePort' | 'externalIP' | 'loadBalancer';

/**
 * `served`: the kernel has it. `missing`: it should have it. `unknown`: a write of it failed, and it is read before the next one.
 * `lost`: another Service has it. `retired`: its Service does not want it any more, and its real servers drain. `leaving`: it is being
 * deleted. `unowned`: the kernel has it, and it is not known whose it is.
 */
export type VirtualServerState =
  | 'served'
  | 'missing'
  | 'unknown'
  | 'lost'
  | 'retired'
  | 'leaving'
  | 'unowned';

/** The port of a Service that a virtual server is for; its name is empty if it has none. */
export interface ServicePortName {
  readonly name: string;
  readonly port: number;
}

/** A virtual server of a Service. */
export interface VirtualServerReport {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
  /** `null` if its Service does not have that port any more. */
  readonly servicePort: ServicePortName | null;
  /** `null` if it is not known whose it is. */
  readonly addressKind: AddressKind | null;
  readonly state: VirtualServerState;
  /** `namespace/name` of the Service that has it in place of this one. */
  readonly lostTo: string | null;
  readonly scheduler: string;
  /** `persistent`, `onePacket`, and the scheduler's flags, `flag-1` to `flag-3`. */
  readonly flags: readonly string[];
  /** How long a client stays at its real server; 0 without session affinity. */
  readonly affinitySeconds: number;
  /** Those that drain come first. */
  readonly realServers: readonly RealServerReport[];
  readonly moreRealServers: number;
}

/**
 * `serving`: it gets new connections. `paused`: it is wanted, and gets none for now. `draining`: it keeps its connections until `drain`
 * says. `missing`: the kernel should have it. `unwanted`: the kernel has it, and it will drain.
 */
export type RealServerState = 'serving' | 'paused' | 'draining' | 'missing' | 'unwanted';

/** A real server of a virtual server. */
export interface RealServerReport {
  readonly address: IpAddress;
  readonly port: number;
  readonly state: RealServerState;
  /** The kernel's weight; `null` where the kernel does not have it. */
  readonly weight: number | null;
  /** The pod's uid and its node, as far as they are known. */
  readonly podUid: string | null;
  readonly node: string | null;
  readonly drain: DrainReport | null;
  /** `null` unless they were asked for and read. */
  readonly connections: { readonly active: number; readonly inactive: number } | null;
}

/** A drain. */
export interface DrainReport {
  /** Why: its endpoint is not chosen any more, its virtual server goes, or another pod has its address. */
  readonly cause: 'endpoint' | 'virtualServer' | 'successor';
  /** The state of its pod by the slices of its namespace. */
  readonly pod: 'alive' | 'dying' | 'left' | 'gone' | 'unseen';
  readonly since: Time;
  /** When it ends at the latest, unless the real server answers once more; `null` without a limit. */
  readonly until: Time | null;
  readonly lastAnswer: Time | null;
  /** How it ends, once that is decided. */
  readonly ending: string | null;
  /** Its connections when they were read last; `null` if they have not been. */
  readonly connections: { readonly active: number; readonly inactive: number } | null;
}
