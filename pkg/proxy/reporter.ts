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
import type { Operation } from './plan/operation.ts';

/** How one sync went. */
export interface SyncReport {
  /** What it touched; the first sync and an audit touch both. */
  readonly families: readonly Family[];
  readonly milliseconds: number;
  /** Every operation was tried and nothing that all Services share failed. */
  readonly isSuccess: boolean;
  /** What caused the changes that it carried out. */
  readonly triggers: readonly Trigger[];
}

/** So much is taken away, or would be. */
export interface Removals {
  readonly virtualServers: number;
  readonly realServers: number;
}

/** The state after a sync, as far as others want to know it. */
export interface ProxierState {
  readonly failedServices: number;
  readonly conflicts: number;
  readonly draining: number;
  /** Services without a local endpoint for a traffic policy that asks for one. */
  readonly withoutLocalEndpoints: Readonly<Record<LocalLack, number>>;
  /** What the kernel held at the start and is kept until a second read of the API decides. */
  readonly undecided: Removals;
}

/** A Service that something is said of. */
export type ServiceIdentity = Pick<Service, 'namespace' | 'name' | 'uid'>;

/** How many operations of a kind were tried. */
export interface OperationCounts {
  readonly done: number;
  readonly failed: number;
}

/** What the proxier tells others: metrics, health and events hear it; nothing they do changes what it does. */
export interface Reporter {
  /** A change of an object that matters was received. */
  changeReceived(kind: Kind): void;
  /** How many objects of a kind have problems now. */
  invalidObjects(kind: Kind, count: number): void;
  /** What is wrong with a Service, or with a slice of it, given by its kind and name; said once for each different complaint. */
  invalidObject(
    object: ObjectName & { readonly kind: Kind; readonly service: ServiceIdentity },
    problems: readonly Problem[],
  ): void;
  /** A sync was asked for. */
  queued(families: readonly Family[]): void;
  synced(report: SyncReport): void;
  state(state: ProxierState): void;
  /** So many operations of a kind, or steps around deletions, were carried out, and so many failed. */
  operations(kind: Operation['kind'] | CleanupStep, counts: OperationCounts): void;
  /** The audit found a difference and planned this. */
  repaired(kind: Operation['kind']): void;
  /** Two Services want one virtual server, and so many others; the one that lost, unless it is gone by now. Said each time that it begins. */
  conflict(
    conflict: Conflict,
    about: { virtualServer: VirtualServerId; loser: ServiceIdentity | undefined; others: number },
  ): void;
  /** How many virtual servers a Service, given by `namespace/name`, wants and another one has by now. */
  lostClaims(key: string, count: number): void;
  /** A drain ended; the Service that has the virtual server, or had it until it was no longer wanted, if it is still there. */
  drainEnded(drain: EndedDrain, service: ServiceIdentity | undefined): void;
  /** What a Service asks for by annotations cannot be understood; said once for each different complaint. */
  invalidAnnotations(service: ServiceIdentity, problems: readonly Problem[]): void;
  /** Why something that a Service, given by `namespace/name`, asks for is not done, as it is by now; nothing if all is. */
  unhonoured(key: string, reasons: ReadonlySet<UnhonouredReason>): void;
  /** A real server took another pod's place and kept its connections in spite of everything. */
  reused(): void;
  /** Stale conntrack flows of a family were looked for and deleted. */
  flowsReconciled(reconciliation: Reconciliation): void;
  /** So many clients of deleted real servers were sent a reset, could not be sent one, or were not found. */
  clientResets(result: 'sent' | 'failed' | 'skipped', count: number): void;
  rulesFailed(family: Family): void;
  /** The health of a Service, given by `namespace/name`, is another one by now; `undefined` if nobody asks for it any more. */
  serviceHealth(key: string, health: ServiceHealth | undefined): void;
  /** Health-check node ports listen on these addresses from now on; an unspecified one stands for all of both families. Told before {@link serviceHealth}. */
  healthCheckAddresses(addresses: readonly IpAddress[]): void;
  /** A batch went through: the program lives. */
  progressed(): void;
  firstSyncDone(): void;
}
