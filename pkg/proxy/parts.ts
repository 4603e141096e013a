import type { Family, IpAddress } from '../ip/address.ts';
import { Mutex } from '../runner/mutex.ts';
import { Applier } from './apply/applier.ts';
import { FrontEndLinger } from './apply/linger.ts';
import { Reconciler } from './apply/reconciler.ts';
import { Retries } from './apply/retries.ts';
import { RuleSource } from './apply/rule-source.ts';
import { RuleWriter } from './apply/rule-writer.ts';
import { SetGrowth } from './apply/set-growth.ts';
import { SetReplacer } from './apply/set-replacer.ts';
import { Intake } from './changes/intake.ts';
import { LedgerUpdater } from './changes/ledger-updater.ts';
import { Pods } from './changes/pod-index.ts';
import { StartGuard } from './changes/start-guard.ts';
import { Store } from './changes/store.ts';
import { Ledger } from './desired/ledger.ts';
import type { Replacements } from './graceful/address-reuse.ts';
import type { GracefulTerminationManager } from './graceful/manager.ts';
import { buildFlows, buildGraceful, type Flows } from './graceful-parts.ts';
import type { AuditContext } from './observed/kernel-reader.ts';
import { Mirror } from './observed/mirror.ts';
import type { ProxierOptions } from './options.ts';
import { rotationOf } from './plan/rotation.ts';
import type { ProxierState } from './reporter.ts';

/** The parts of a proxier, which share one ledger, one mirror and one mutex. */
export interface Parts {
  readonly mutex: Mutex;
  readonly ledger: Ledger;
  readonly mirror: Mirror;
  readonly store: Store;
  readonly intake: Intake;
  readonly ledgerUpdater: LedgerUpdater;
  readonly rules: RuleWriter;
  readonly linger: FrontEndLinger;
  readonly retries: Retries;
  readonly replacements: Replacements;
  readonly graceful: GracefulTerminationManager;
  readonly applier: Applier;
  readonly reconciler: Reconciler;
  readonly guard: StartGuard;
  readonly setReplacer: SetReplacer;
  readonly auditContext: AuditContext;
  readonly flows: Flows;
}

/** What the parts ask of whoever runs them. */
export interface PartsCallbacks {
  /** There is something to carry out. */
  readonly onDirty: () => void;
  /** There will be, in some milliseconds. */
  readonly wake: (milliseconds: number) => void;
  /** An attempt to write a family's rules ended. */
  readonly onRules: (family: Family, outcome: { isSuccess: boolean }) => void;
}

/** Builds the parts and gives each what it needs of the others. */
export function buildParts(options: ProxierOptions, callbacks: PartsCallbacks): Parts {
  const { clock, log, reporter, firewall, families, ipvs, ipsets, links } = options;
  const { onDirty, wake, onRules } = callbacks;
  const mutex = new Mutex();
  const ledger = new Ledger();
  const mirror = new Mirror();
  const now = () => clock.now();
  const pods = new Pods(now);
  const store = new Store(now, { pods, startTime: clock.wallClock() });
  const intake = new Intake({
    store,
    clock,
    log,
    reporter,
    onDirty,
    nodeName: options.nodeName,
  });
  const { serviceOptionsOf, confirm, ruleSettings, excluded } = options;
  const ledgerUpdater = new LedgerUpdater({
    store,
    ledger,
    clock,
    log,
    reporter,
    serviceOptionsOf,
  });
  const retries = new Retries({ clock, log, ledger, wake });
  const source = new RuleSource({ settings: ruleSettings, firewall, node: () => store.node });
  const common = { ledger, families, mirror };
  const rules = new RuleWriter({ ...common, firewall, source, clock, log, onAttempt: onRules });
  const flows = buildFlows(options);
  const { cleaner, stale } = flows;
  const applier = new Applier({
    ipvs,
    ipsets,
    links,
    mirror,
    reporter,
    log,
    clock,
    rules,
    cleaner,
    stale,
  });
  const guard = new StartGuard({ ...common, store, intake, log, confirm });
  const { graceful, replacements } = buildGraceful(options, {
    applier,
    retries,
    flows,
    mutex,
    ledger,
    mirror,
    pods,
    intake,
    guard,
    store,
    onDirty,
  });
  const looked = { graceful, retries, replacements };
  const reading = { ipvs, mirror, ledger, excluded };
  const podOn = podLookUp(pods, ledger);
  const setReplacer = new SetReplacer({ applier, ledger, log });
  const growth = new SetGrowth({ ledger, mirror, replacer: setReplacer, now });
  const reconciler = new Reconciler({
    ...{ ...common, ...looked, podOn, applier, reading, growth, log, now },
    rotation: rotationOf(options.nodeName),
  });
  const auditContext = { ...common, ...reading, ipsets, links, now };
  return {
    ...common,
    ...looked,
    mutex,
    store,
    intake,
    ledgerUpdater,
    flows,
    rules,
    applier,
    reconciler,
    guard,
    auditContext,
    linger: new FrontEndLinger({ ledger, mirror }),
    setReplacer,
  };
}

/** The state of the parts, as others are told of it. */
export function stateOf({ retries, ledgerUpdater, ledger, graceful, guard }: Parts): ProxierState {
  return {
    failedServices: retries.failedServices + ledgerUpdater.failedServices,
    conflicts: ledger.conflictCount(),
    draining: graceful.size,
    withoutLocalEndpoints: ledger.withoutLocalEndpoints(),
    undecided: guard.undecided,
  };
}

/** Who has an address behind a virtual server, given by its key, as far as its Service's slices say it. */
function podLookUp(pods: Pods, ledger: Ledger) {
  return (virtualServer: string, address: IpAddress) => {
    const owner = ledger.lastOwner(virtualServer);
    return owner === undefined ? '' : pods.uidOn(owner, address);
  };
}
