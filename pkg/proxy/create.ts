import type { Firewall } from '../firewall/firewall.ts';
import type { Family, IpAddress } from '../ip/address.ts';
import type { Prefix } from '../ip/prefix.ts';
import type { IpSets } from '../ipset/ipset.ts';
import { type Ipvs, type VirtualServerId, virtualServerKey } from '../ipvs/ipvs.ts';
import type { Kind, Service } from '../kube/types.ts';
import type { Links } from '../links/links.ts';
import type { Logger } from '../log/log.ts';
import type { Neighbours } from '../neighbours/neighbours.ts';
import type { Clock } from '../runner/clock.ts';
import { Mutex } from '../runner/mutex.ts';
import { Applier } from './apply/applier.ts';
import { Reconciler } from './apply/reconciler.ts';
import { Retries } from './apply/retries.ts';
import { type RuleSettings, RuleSource } from './apply/rule-source.ts';
import { RuleWriter } from './apply/rule-writer.ts';
import { Intake } from './changes/intake.ts';
import { LedgerUpdater, type ServiceOptions } from './changes/ledger-updater.ts';
import { Pods } from './changes/pod-index.ts';
import { StartGuard } from './changes/start-guard.ts';
import { Store } from './changes/store.ts';
import { Ledger } from './desired/ledger.ts';
import type { FlowForgetter } from './flows/stale-flows.ts';
import { Replacements } from './graceful/address-reuse.ts';
import type { ClientReset } from './graceful/client-reset.ts';
import { drainContextOf } from './graceful/context.ts';
import type { ApplyNow } from './graceful/ender.ts';
import { FrontEndLinger } from './graceful/linger.ts';
import { GracefulTerminationManager } from './graceful/manager.ts';
import type { DrainMode } from './graceful/policy.ts';
import type { AuditContext } from './observed/kernel-reader.ts';
import { LeftoverSets } from './observed/leftover-sets.ts';
import { Mirror } from './observed/mirror.ts';
import type { Reporter } from './reporter.ts';
import type { KeptSettings } from './settings/kernel-settings.ts';

/** What the proxier is made of and told. */
export interface ProxierOptions {
  readonly ipvs: Ipvs;
  readonly ipsets: IpSets;
  readonly links: Links;
  readonly firewall: Firewall;
  readonly neighbours: Neighbours;
  readonly settings: KeptSettings;
  readonly flows: FlowForgetter;
  readonly reporter: Reporter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly families: readonly Family[];
  readonly scheduler: string;
  /** Networks whose virtual servers are left alone unless a Service wants them. */
  readonly excluded: readonly Prefix[];
  readonly ruleSettings: RuleSettings;
  /** How real servers end that are no longer wanted; times in milliseconds, no timeout if it is 0. */
  readonly drains: {
    readonly mode: DrainMode;
    readonly timeout: number;
    readonly unansweredAfter?: number;
  };
  /** What Services ask for by annotations; without it, they are not asked. */
  readonly serviceOptionsOf?: (service: Service) => ServiceOptions;
  /** What tells clients that only wait; `undefined` leaves them to find out by themselves. */
  readonly clientReset: ClientReset | undefined;
  /** Asks the source for a second read of a kind, see `Source.confirm`; without it, what it says first is believed. */
  readonly confirm?: ((kind: Kind) => void) | undefined;
  /** Milliseconds between two audits. */
  readonly syncPeriod: number;
  /** Milliseconds in which changes are gathered after a sync; 0 for none. */
  readonly minSyncPeriod: number;
}

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
  readonly reconciler: Reconciler;
  readonly guard: StartGuard;
  readonly auditContext: AuditContext;
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

/** Builds the parts and tells each what it needs of the others. */
export function buildParts(options: ProxierOptions, callbacks: PartsCallbacks): Parts {
  const { clock, log, reporter, firewall, families, ipvs, ipsets, links, flows } = options;
  const { onDirty, wake, onRules } = callbacks;
  const [mutex, ledger, mirror] = [new Mutex(), new Ledger(), new Mirror()];
  const now = () => clock.now();
  const { pods, podOn } = buildPods(now, { ledger, graceful: () => graceful });
  const store = new Store(now, { pods, startTime: clock.wallClock() });
  const intake = new Intake({
    ...{ store, clock, log, reporter, onDirty },
    nodeName: options.nodeName,
  });
  const ledgerUpdater = new LedgerUpdater({
    store,
    ledger,
    clock,
    log,
    reporter,
    serviceOptionsOf: options.serviceOptionsOf,
  });
  const retries = new Retries({ clock, log, ledger, wake });
  const linger = new FrontEndLinger({ ledger, mirror });
  const source = new RuleSource({
    settings: options.ruleSettings,
    firewall,
    node: () => store.node,
  });
  const common = { ledger, families, mirror };
  const rules = new RuleWriter({ ...common, firewall, source, clock, log, onAttempt: onRules });
  const applier = new Applier({
    ...{ ipvs, ipsets, links, mirror, reporter, log, clock },
    requestRules: (family, nonEmpty) => rules.request(family, nonEmpty),
    drain: (requests, token) => graceful.begin(requests, token),
    forgetFlows: (virtualServers) => flows.forgetUntranslated(virtualServers),
  });
  const applyNow = applyingNow(applier, retries);
  const onReused = () => reporter.reused();
  const replacements = new Replacements({ ipvs, apply: applyNow, now, log, onReused });
  const guard = new StartGuard({ ...common, store, intake, log, confirm: options.confirm });
  const areSlicesCurrent = () => intake.isCurrent('Service', 'EndpointSlice') && !guard.isWaiting;
  const shared = { applyNow, mutex, ledger, mirror, pods, areSlicesCurrent, store, replacements };
  const graceful = buildGraceful(options, { ...shared, onDirty });
  const looked = { graceful, retries, replacements };
  const reading = { ipvs, mirror, ledger, excluded: options.excluded };
  const reconciler = new Reconciler({ ...common, ...looked, podOn, applier, reading, log, now });
  const leftovers = new LeftoverSets({
    ...{ ipsets, families, log, now },
    wantedEntries: (set) => ledger.entries(set),
    withdrawRules: (family) => rules.withdraw(family),
    requestRules: (family) => rules.request(family, ledger.nonEmptySets(family)),
  });
  const auditContext = { ...common, ...reading, ipsets, links, leftovers, now };
  return {
    ...{ ...common, ...looked, mutex, store, intake, ledgerUpdater },
    ...{ rules, linger, reconciler, guard, auditContext },
  };
}

/** Carries out operations on real servers; those that fail are tried again. */
function applyingNow(applier: Applier, retries: Retries): ApplyNow {
  return (operations, token) => {
    const failed = applier.applyNow(operations, token);
    retries.fail(failed);
    return failed;
  };
}

/** The index of pods, and who has an address behind a virtual server, given by its key, as far as its Service's slices say it. */
function buildPods(
  now: () => number,
  { ledger, graceful }: { ledger: Ledger; graceful: () => GracefulTerminationManager },
) {
  const concerns = (namespace: string) => (virtualServer: VirtualServerId) => {
    const owner = ledger.lastOwner(virtualServerKey(virtualServer));
    return owner === undefined || owner.namespace === namespace;
  };
  const pods = new Pods(now, (address, namespace) =>
    graceful().podChanged(address, concerns(namespace)),
  );
  const podOn = (virtualServer: string, address: IpAddress) => {
    const owner = ledger.lastOwner(virtualServer);
    return owner === undefined ? '' : pods.uidOn(owner, address);
  };
  return { pods, podOn };
}

interface GracefulParts {
  readonly applyNow: ApplyNow;
  readonly mutex: Mutex;
  readonly ledger: Ledger;
  readonly mirror: Mirror;
  readonly pods: Pods;
  readonly areSlicesCurrent: () => boolean;
  readonly store: Store;
  readonly replacements: Replacements;
  readonly onDirty: () => void;
}

function buildGraceful(
  { ipvs, neighbours, flows, clock, log, reporter, clientReset, drains, scheduler }: ProxierOptions,
  parts: GracefulParts,
): GracefulTerminationManager {
  const { applyNow, mutex, ledger, mirror, pods, areSlicesCurrent, store, replacements } = parts;
  const context = {
    ...{ ledger, mirror, pods, areSlicesCurrent, scheduler },
    timeout: drains.timeout,
  };
  return new GracefulTerminationManager({
    ...{ ipvs, neighbours, apply: applyNow, mutex, clock, log, clientReset },
    handover: flows.handover,
    mode: drains.mode,
    unansweredAfter: drains.unansweredAfter,
    isWanted: (virtualServer, realServer) => ledger.wantsRealServer(virtualServer, realServer),
    contextOf: (request) => drainContextOf(request, context),
    onEnd(drain) {
      const { virtualServer, realServer, podUid = '', end } = drain;
      const isDeleted = end !== 'wanted' && end !== 'shutdown';
      if (isDeleted) replacements.begin(virtualServer, { ...realServer, podUid });
      const owner = ledger.lastOwner(virtualServerKey(drain.virtualServer));
      const service = owner && store.service(owner.key);
      // Another one may have its name by now.
      reporter.drainEnded(drain, service?.created === owner?.created ? service : undefined);
      parts.onDirty();
    },
  });
}
