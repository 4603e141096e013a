import type { ProxierView } from '../proxy/view.ts';
import type { Yielder } from '../runner/yielder.ts';
import type { FailureStatus, Time } from './report.ts';

/** How many failed objects of one Service are listed, and of those that all share. */
const listLimit = 20;
/** How many characters of an error are shown. */
const longestError = 300;

/** Some objects that failed. */
export interface ListedFailures {
  readonly failures: readonly FailureStatus[];
  /** How many others there are. */
  readonly more: number;
}

const none: ListedFailures = { failures: [], more: 0 };

/** The objects that failed, of some Services and of all together. */
export interface Failures {
  /** Those of a Service, given by its key. */
  of(service: string): ListedFailures;
  /** Those that no Service owns. */
  readonly shared: ListedFailures;
}

/** The key of what no Service owns. */
const shared = '';

/** Collects the objects that failed and that one of some Services wants, or all share. Lets the event loop turn in between. */
export async function failuresOf(
  services: ReadonlySet<string>,
  {
    view: { retries },
    timeOf,
    yielder,
  }: {
    readonly view: Pick<ProxierView, 'retries'>;
    readonly timeOf: (time: number) => Time;
    readonly yielder: Yielder;
  },
): Promise<Failures> {
  const lists = new Map<string, { failures: FailureStatus[]; more: number }>();
  for (const { owners, code, ...failure } of retries.failures()) {
    await yielder.yieldIfDue();
    const keys = owners.size === 0 ? [shared] : [...owners].filter((key) => services.has(key));
    for (const key of keys) {
      const list = lists.get(key) ?? { failures: [], more: 0 };
      lists.set(key, list);
      if (list.failures.length >= listLimit) list.more++;
      else list.failures.push(failureStatus({ ...failure, error: code }, timeOf));
    }
  }
  return { of: (key) => lists.get(key) ?? none, shared: lists.get(shared) ?? none };
}

/** Something that failed, with times of the clock. */
export function failureStatus(
  {
    object,
    error,
    since,
    due,
  }: {
    readonly object: string;
    readonly error: string;
    readonly since: number;
    readonly due: number;
  },
  timeOf: (time: number) => Time,
): FailureStatus {
  return {
    object: object.slice(0, longestError),
    error: error.slice(0, longestError),
    since: timeOf(since),
    nextAttempt: timeOf(due),
  };
}
