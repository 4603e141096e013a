import type { Service } from '../kube/types.ts';
import type { Retries } from './apply/retries.ts';
import type { EntryFailure } from './changes/ledger-updater.ts';
import type { Pods } from './changes/pod-index.ts';
import type { Store } from './changes/store.ts';
import type { NodeContext } from './desired/footprint.ts';
import type { Ledger } from './desired/ledger.ts';
import type { Unhonoured } from './desired/unhonoured.ts';
import type { GracefulTerminationManager } from './graceful/manager.ts';
import type { MirrorView } from './observed/mirror.ts';
import { type SetFill, setFillsOf } from './observed/set-fill.ts';
import { type Parts, stateOf } from './parts.ts';
import type { ProxierState } from './reporter.ts';

/**
 * What a proxier knows, for those who show it. Nothing is kept for this: every value is computed, or taken from where the proxier
 * has it, at the moment at which it is asked for. Nobody changes anything through it.
 */
export interface ProxierView {
  readonly store: Pick<Store, 'service' | 'serviceKeys' | 'serviceCount' | 'objects' | 'lastNode'>;
  readonly pods: Pick<Pods, 'isIn'>;
  readonly ledger: Pick<
    Ledger,
    | 'footprints'
    | 'frontEnd'
    | 'lastOwner'
    | 'retired'
    | 'leaving'
    | 'wants'
    | 'wantsAddress'
    | 'wantsEntry'
    | 'entries'
    | 'entryCount'
    | 'ruleContent'
    | 'virtualServers'
  >;
  readonly mirror: Pick<MirrorView, 'virtualServers' | 'unknownVirtualServers'>;
  readonly graceful: Pick<GracefulTerminationManager, 'drainsOf' | 'drainsAt'>;
  readonly retries: Pick<Retries, 'failures'>;
  /** How full our sets are, as far as is known. */
  readonly setFills: () => readonly SetFill[];
  /** Whether the first sync has ended. */
  readonly hasSynced: () => boolean;
  readonly state: () => ProxierState;
  /** What a Service asks for and does not get on this node. */
  readonly unhonoured: (service: Service) => readonly Unhonoured[];
  /** Why the last attempt to enter a Service, given by its key, in the ledger failed; `undefined` if it did not. */
  readonly entryFailure: (service: string) => EntryFailure | undefined;
}

/** A view of the parts of a proxier. */
export function viewOf(
  parts: Parts,
  { hasSynced, context }: { hasSynced: () => boolean; context: () => NodeContext },
): ProxierView {
  const { store, pods, ledger, mirror, graceful, retries, ledgerUpdater } = parts;
  return {
    store,
    pods,
    ledger,
    mirror,
    graceful,
    retries,
    setFills: () => setFillsOf(mirror),
    hasSynced,
    state: () => stateOf(parts),
    unhonoured: (service) => ledgerUpdater.unhonouredOf(service, context()),
    entryFailure: (service) => ledgerUpdater.failureOf(service),
  };
}
