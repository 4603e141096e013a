import type { ProxierView } from '../proxy/view.ts';
import type { Clock } from '../runner/clock.ts';
import type { ListedFailures } from './failures.ts';
import type { History } from './history.ts';
import type { NodeStatus } from './report.ts';

/** What the state of a node is taken from. */
export interface NodeStatusSources {
  readonly view: Pick<ProxierView, 'state' | 'hasSynced' | 'store'>;
  readonly history: Pick<History, 'syncs' | 'minutes'>;
  readonly name: string;
  /** The program's version. */
  readonly program: string;
}

/** Returns the state of the node of a proxier that begins now, with some failures of what all Services share. */
export function nodeStatusOf(
  { view, history, name, program }: NodeStatusSources,
  clock: Pick<Clock, 'wallClock'>,
): (shared: ListedFailures) => NodeStatus {
  const started = new Date(clock.wallClock()).toISOString();
  return ({ failures, more: moreFailures }) => {
    const { failedServices, conflicts, draining } = view.state();
    return {
      name,
      program,
      started,
      hasSynced: view.hasSynced(),
      counts: { services: view.store.serviceCount, failedServices, conflicts, draining },
      syncs: history.syncs,
      minutes: history.minutes,
      failures,
      moreFailures,
    };
  };
}
