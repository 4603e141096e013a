import { virtualServerKey } from '../ipvs/ipvs.ts';
import type { Mutex } from '../runner/mutex.ts';
import type { Applier } from './apply/applier.ts';
import { Cleaner } from './apply/cleaner.ts';
import type { Retries } from './apply/retries.ts';
import type { Intake } from './changes/intake.ts';
import type { Pods } from './changes/pod-index.ts';
import type { StartGuard } from './changes/start-guard.ts';
import type { Store } from './changes/store.ts';
import type { Ledger } from './desired/ledger.ts';
import { FlowReader } from './flows/flow-reader.ts';
import { StaleFlows } from './flows/stale-flows.ts';
import { Replacements } from './graceful/address-reuse.ts';
import type { Apply } from './graceful/checker.ts';
import { ClientResetter } from './graceful/client-resetter.ts';
import { drainContextOf } from './graceful/context.ts';
import type { EndedDrain } from './graceful/list.ts';
import { CleanupLookUp } from './graceful/look-up.ts';
import { GracefulTerminationManager } from './graceful/manager.ts';
import type { MirrorView } from './observed/mirror.ts';
import type { ProxierOptions } from './options.ts';

/** The parts that read and change conntrack's flows. */
export interface Flows {
  readonly stale: StaleFlows;
  readonly lookUp: CleanupLookUp;
  readonly cleaner: Cleaner;
  /** Runs all parts until the signal aborts. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** Builds the parts that read and change conntrack's flows. */
export function buildFlows(options: ProxierOptions, mirror: MirrorView): Flows {
  const { conntrack, connections, resetter, settings, clock, log, reporter } = options;
  const reader = new FlowReader({ conntrack, clock, log });
  const stale = new StaleFlows({
    conntrack,
    reader,
    clock,
    isHeld: ({ virtualServer, realServer }) =>
      mirror.virtualServers.get(virtualServerKey(virtualServer))?.realServers.get(realServer) !==
      undefined,
    onReconciled: (reconciliation) => reporter.flowsReconciled(reconciliation),
    onFailed: ({ family, protocol, error, isLast }) => {
      // A text of its own: the log drops equal lines within a minute.
      const how = isLast ? 'gave up deleting' : 'could not delete';
      log.error(`${how} stale conntrack flows`, error, { family, protocol });
    },
  });
  const onFailed = (count: number) => reporter.clientResets('failed', count);
  const clientResetter = new ClientResetter({
    conntrack,
    resetter,
    clock,
    log,
    onFailed,
    onSent: (count) => reporter.clientResets('sent', count),
  });
  const backlog = () => clientResetter.backlog;
  const lookUp = new CleanupLookUp({ reader, connections, settings, log, backlog });
  const cleaner = new Cleaner({
    conntrack,
    resetter,
    clientResetter,
    clock,
    log,
    onFailed,
    onSkipped: (count) => reporter.clientResets('skipped', count),
  });
  const run = (signal: AbortSignal) =>
    Promise.all([reader, stale, clientResetter].map((part) => part.run(signal)));
  return { stale, lookUp, cleaner, run };
}

/** The other parts that graceful termination uses. */
export interface GracefulSources {
  readonly applier: Applier;
  readonly retries: Retries;
  readonly flows: Flows;
  readonly mutex: Mutex;
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly pods: Pods;
  readonly intake: Intake;
  readonly guard: StartGuard;
  readonly store: Store;
  readonly onDirty: () => void;
}

/** Builds the manager of drains, and the list of addresses that another pod may not use yet. */
export function buildGraceful(
  options: ProxierOptions,
  sources: GracefulSources,
): { graceful: GracefulTerminationManager; replacements: Replacements } {
  const { ipvs, neighbours, clock, log, reporter, drains, resetsWaitingClients } = options;
  const { flows, mutex, ledger, pods, onDirty } = sources;
  const apply = applying(sources);
  const replacements = new Replacements({
    ipvs,
    apply,
    log,
    now: () => clock.now(),
    onReused: () => reporter.reused(),
  });
  const context = contextSources(options, sources);
  const graceful = new GracefulTerminationManager({
    ipvs,
    neighbours,
    apply,
    mutex,
    clock,
    log,
    resetsWaitingClients,
    lookUp: flows.lookUp,
    mode: drains.mode,
    unansweredAfter: drains.unansweredAfter,
    contextOf: (request) => drainContextOf(request, context),
    onEnd(drain) {
      const { virtualServer, realServer, podUid, end } = drain;
      const isDeleted = end !== 'wanted' && end !== 'shutdown';
      if (isDeleted) replacements.begin(virtualServer, { ...realServer, podUid });
      reporter.drainEnded(drain, serviceOf(drain, sources));
      onDirty();
    },
  });
  pods.watch((address, namespace) => {
    graceful.podChanged(address, (virtualServer) => {
      const owner = ledger.lastOwner(virtualServerKey(virtualServer));
      return owner === undefined || owner.namespace === namespace;
    });
  });
  return { graceful, replacements };
}

/** Carries out operations of drains, and schedules a retry of those that failed. */
function applying({ applier, retries }: GracefulSources): Apply {
  return async (operations, token) => {
    const failed = await applier.apply(operations, token);
    retries.fail(failed);
    return failed;
  };
}

function contextSources(
  { drains }: ProxierOptions,
  { ledger, mirror, pods, intake, guard }: GracefulSources,
) {
  const areSlicesCurrent = () => intake.isCurrent('Service', 'EndpointSlice') && !guard.isWaiting;
  return { ledger, mirror, pods, areSlicesCurrent, timeout: drains.timeout };
}

/** The Service that owns the virtual server of a drain or owned it last; `undefined` if it was deleted. */
function serviceOf({ virtualServer }: EndedDrain, { ledger, store }: GracefulSources) {
  const owner = ledger.lastOwner(virtualServerKey(virtualServer));
  const service = owner && store.service(owner.key);
  // Another Service may have its name by now.
  return service?.created === owner?.created ? service : undefined;
}
