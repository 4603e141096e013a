import type { Family, IpAddress } from '../ip/address.ts';
import { Mutex } from '../runner/mutex.ts';
import { Applier } from './apply/applier.ts';
import { ChangeLog } from './apply/change-log.ts';
import { Leftovers } from './apply/leftovers.ts';
import { FrontEndLinger } from './apply/linger.ts';
import { Reconciler } from './apply/reconciler.ts';
import { Retries } from './apply/retries.ts';
import { RuleSource } from './apply/rule-source.ts';
import { RuleWriter } from './apply/rule-writer.ts';
import { SetGrowth } from './apply/set-growth.ts';
import { SetReplacer } from './apply/set-replacer.ts';
import { VipMoves } from './apply/vip-moves.ts';
import { Intake } from './changes/intake.ts';
import { LedgerUpdater } from './changes/ledger-updater.ts';
import { Pods } from './changes/pod-index.ts';
import { StartGuard } from './changes/start-guard.ts';
import { Store } from './changes/store.ts';
import { Ledger } from './desired/ledger.ts';
import { unknownPod } from './desired/pod-identity.ts';
import { VipRoutes } from './desired/vip-routes.ts';
import type { Replacements } from './graceful/address-reuse.ts';
import type { GracefulTerminationManager } from './graceful/manager.ts';
import { buildFlows, buildGraceful, type Flows } from './graceful-parts.ts';
import { ForeignVips } from './observed/foreign-vips.ts';
import type { AuditContext } from './observed/kernel-reader.ts';
import { Mirror, type MirrorView } from './observed/mirror.ts';
import type { ProxierOptions } from './options.ts';
import { rotationOf } from './plan/rotation.ts';
import type { ProxierState } from './reporter.ts';

/** The parts of a proxier, which share one ledger, one mirror and one mutex. */
export interface Parts {
  readonly mutex: Mutex;
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly vipRoutes: VipRoutes;
  readonly vipMoves: VipMoves;
  readonly store: Store;
  readonly pods: Pods;
  readonly intake: Intake;
  readonly ledgerUpdater: LedgerUpdater;
  readonly rules: RuleWriter;
  readonly leftovers: Leftovers;
  readonly linger: FrontEndLinger;
  readonly retries: Retries;
  readonly replacements: Replacements;
  readonly graceful: GracefulTerminationManager;
  readonly applier: Applier;
  readonly reconciler: Reconciler;
  readonly changeLog: ChangeLog;
  readonly guard: StartGuard;
  readonly setReplacer: SetReplacer;
  readonly auditContext: AuditContext;
  readonly flows: Flows;
}

/** The callbacks from the parts to the proxier. */
export interface PartsCallbacks {
  /** A sync is needed now. */
  readonly onDirty: () => void;
  /** A sync is needed after some milliseconds. */
  readonly wake: (milliseconds: number) => void;
  /** An attempt to write a family's rules ended. */
  readonly onRules: (family: Family, outcome: { isSuccess: boolean }) => void;
}

/** Builds all parts and connects them. */
export function buildParts(options: ProxierOptions, callbacks: PartsCallbacks): Parts {
  const { clock, log, excluded } = options;
  const now = () => clock.now();
  const changes = buildChanges(options, callbacks);
  const { ledger, mirror, pods, vipRoutes } = changes;
  const retries = new Retries({ clock, log, ledger, wake: callbacks.wake });
  const writing = buildApply(options, { ...changes, onRules: callbacks.onRules });
  const { onDirty } = callbacks;
  const departing = buildGraceful(options, { ...changes, ...writing, retries, onDirty });
  const reading = { ...options, ledger, mirror, excluded, now };
  const setReplacer = new SetReplacer({ ...writing, ledger, log, now });
  const changeLog = new ChangeLog({ log, ownerOf: (key) => ledger.lastOwner(key)?.key });
  const reconciler = new Reconciler({
    ...reading,
    ...writing,
    ...departing,
    vipRoutes,
    retries,
    reading: { ...reading, podOn: podLookUp(pods, ledger) },
    changeLog,
    growth: new SetGrowth({ ledger, mirror, replacer: setReplacer, now }),
    rotation: rotationOf(options.nodeName),
  });
  return {
    ...changes,
    ...writing,
    ...departing,
    retries,
    reconciler,
    changeLog,
    auditContext: reading,
    linger: new FrontEndLinger({ ledger, mirror }),
    vipMoves: new VipMoves({ ledger, mirror, vipRoutes, foreignVips: new ForeignVips(log), now }),
    setReplacer,
  };
}

/** Builds the parts that apply changes to the store, the ledger of what is wanted, and the mirror of what the kernel holds. */
function buildChanges(options: ProxierOptions, { onDirty }: Pick<PartsCallbacks, 'onDirty'>) {
  const { clock, serviceOptionsOf, confirm } = options;
  const now = () => clock.now();
  const ledger = new Ledger();
  const mirror = new Mirror();
  const pods = new Pods(now);
  const store = new Store(now, { pods, startTime: clock.wallClock() });
  const intake = new Intake({ ...options, store, onDirty });
  return {
    mutex: new Mutex(),
    ledger,
    mirror,
    pods,
    store,
    vipRoutes: new VipRoutes({ ...options, ledger, node: () => store.lastNode }),
    intake,
    ledgerUpdater: new LedgerUpdater({ ...options, store, ledger, serviceOptionsOf }),
    guard: new StartGuard({ ...options, ledger, mirror, store, intake, confirm, now }),
  };
}

/** Builds the parts that write to the kernel. */
function buildApply(
  options: ProxierOptions,
  {
    mirror,
    store,
    onRules,
  }: { readonly mirror: Mirror } & Pick<Parts, 'store'> & Pick<PartsCallbacks, 'onRules'>,
) {
  const { firewall, ruleSettings } = options;
  const source = new RuleSource({ settings: ruleSettings, firewall, node: () => store.lastNode });
  const rules = new RuleWriter({ ...options, mirror, source, onAttempt: onRules });
  const leftovers = new Leftovers({ ...options, mirror });
  const flows = buildFlows(options, mirror);
  const applier = new Applier({ ...options, ...flows, mirror, rules, leftovers });
  return { rules, leftovers, flows, applier };
}

/** Collects the state that is reported after each sync. */
export function stateOf({ retries, ledgerUpdater, ledger, graceful, guard }: Parts): ProxierState {
  return {
    failedServices: retries.failedServices + ledgerUpdater.failedServices,
    conflicts: ledger.conflicts.conflictCount,
    draining: graceful.size,
    withoutLocalEndpoints: ledger.withoutLocalEndpoints(),
    undecided: guard.undecided,
  };
}

/** Looks up the pod that has an address behind a virtual server, by the slices of the Service that owns it or owned it last. */
function podLookUp(pods: Pods, ledger: Ledger) {
  return (virtualServer: string, address: IpAddress) => {
    const owner = ledger.lastOwner(virtualServer);
    return owner === undefined ? unknownPod : pods.uidOn(owner, address);
  };
}
