import type { Family, IpAddress } from '../ip/address.ts';
import type { VirtualServerId } from '../ipvs/ipvs.ts';
import type { Kind, ObjectName, Problem, Service, ServiceHealth } from '../kube/types.ts';
import type { Trigger } from './changes/triggers.ts';
import type { Conflict } from './desired/claims.ts';
import type { LocalLack } from './desired/footprint.ts';
import type { UnhonouredReason } from './desired/unhonoured.ts';
import type { Reconciliation } from './flows/stale-flows.ts';
import type { EndedDrain } from './graceful/list.ts';
import type { CleanupStep } from './plan/cleanup.ts';
import type { SingleOperation } from './plan/operation.ts';

/**
 * The stages of syncs and audits whose time is told: entering changes in the ledger, reading the kernel, planning, and writing: virtual
 * and real servers, set entries, addresses and local routes, rules, and sets and the device.
 */
export const stages = [
  'desired',
  'observed',
  'plan',
  'apply_ipvs',
  'apply_entries',
  'apply_addresses',
  'apply_rules',
  'apply_other',
] as const;
/** One of the {@link stages}. */
export type Stage = (typeof stages)[number];

/** What is told as one sync: the first one, one that carries changes out, or an audit of the whole kernel. */
export type SyncKind = 'first' | 'changes' | 'audit';

/** The result of one sync. */
export interface SyncReport {
  readonly kind: SyncKind;
  /** The families that it touched. The first sync and an audit touch both. */
  readonly families: readonly Family[];
  readonly milliseconds: number;
  /** Every operation was tried and nothing that all Services share failed. */
  readonly isSuccess: boolean;
  /** The API changes that it carried out. */
  readonly triggers: readonly Trigger[];
}

/** The result of a sync: whether it succeeded (`design.md`, “Health”), and which changes it carried out. */
export type Synced = Pick<SyncReport, 'isSuccess' | 'triggers'>;

/** How many objects are removed, or would be. */
export interface Removals {
  readonly virtualServers: number;
  readonly realServers: number;
}

/** The state after a sync, for metrics and health. */
export interface ProxierState {
  readonly failedServices: number;
  readonly conflicts: number;
  readonly draining: number;
  /** Services without a local endpoint for a traffic policy that asks for one. */
  readonly withoutLocalEndpoints: Readonly<Record<LocalLack, number>>;
  /** How many objects the kernel held at the start that are kept until a second read of the API decides about them. */
  readonly undecided: Removals;
}

/** The Service that a report is about. */
export type ServiceIdentity = Pick<Service, 'namespace' | 'name' | 'uid'>;

/** How many operations of a kind were tried. */
export interface OperationCounts {
  readonly done: number;
  readonly failed: number;
}

/** Receives what the proxier reports to metrics, health and events. What a reporter does has no effect on the proxier. */
export interface Reporter {
  /** A relevant change of an object was received. */
  changeReceived(kind: Kind): void;
  /** The number of objects of a kind that have problems now. */
  invalidObjects(kind: Kind, count: number): void;
  /** An object of a Service, given by its kind and name, is invalid. Reported once for each different list of problems. */
  invalidObject(
    object: ObjectName & { readonly kind: Kind; readonly service: ServiceIdentity },
    problems: readonly Problem[],
  ): void;
  /** A sync was requested. */
  queued(families: readonly Family[]): void;
  synced(report: SyncReport): void;
  /** A stage of a sync or an audit ran for some milliseconds; several times where it works on parts. Turns of others are counted in. */
  stageTook(stage: Stage, milliseconds: number): void;
  state(state: ProxierState): void;
  /** The numbers of operations of a kind, or of steps around deletions, that succeeded and that failed. */
  operations(kind: SingleOperation['kind'] | CleanupStep, counts: OperationCounts): void;
  /** An audit found a difference and repaired it by an operation of this kind, which is given as text too. */
  repaired(kind: SingleOperation['kind'], operation: string): void;
  /**
   * Two Services want one virtual server, and `others` more. The one that lost is `undefined` if it was
   * deleted. Reported each time that it begins.
   */
  conflict(
    conflict: Conflict,
    about: { virtualServer: VirtualServerId; loser: ServiceIdentity | undefined; others: number },
  ): void;
  /** How many virtual servers a Service, given by `namespace/name`, wants and another Service owns now. */
  lostClaims(key: string, count: number): void;
  /** A drain ended. The Service owns the virtual server or owned it last; `undefined` if it was deleted. */
  drainEnded(drain: EndedDrain, service: ServiceIdentity | undefined): void;
  /** Annotations of a Service are invalid. Reported once for each different set of problems. */
  invalidAnnotations(service: ServiceIdentity, problems: readonly Problem[]): void;
  /** The current reasons why parts of a Service, given by `namespace/name`, are not honoured; none if all of it is. */
  unhonoured(key: string, reasons: ReadonlySet<UnhonouredReason>): void;
  /** The kernel kept old connections on a real server that was deleted and added again for another pod. */
  reused(): void;
  /** Stale conntrack flows of a family were looked for and deleted. */
  flowsReconciled(reconciliation: Reconciliation): void;
  /** The number of clients of deleted real servers that were sent a reset, could not be sent one, or were not found. */
  clientResets(result: 'sent' | 'failed' | 'skipped', count: number): void;
  rulesFailed(family: Family): void;
  /** The health of a Service, given by `namespace/name`, changed; `undefined` if it has no health-check node port any more. */
  serviceHealth(key: string, health: ServiceHealth | undefined): void;
  /**
   * Health-check node ports listen on these addresses from now on; an unspecified address means all of both families. Reported
   * before {@link serviceHealth}.
   */
  healthCheckAddresses(addresses: readonly IpAddress[]): void;
  /** A batch was carried out. `/livez` counts this as progress. */
  progressed(): void;
  /** The first sync begins, or is tried again, with so many Services. */
  firstSyncBegins(services: number): void;
  firstSyncDone(): void;
}
