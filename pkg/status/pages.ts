import type { Clock } from '../runner/clock.ts';
import { Yielder } from '../runner/yielder.ts';
import type { ConnectionReader } from './connections.ts';
import { failuresOf, type ListedFailures } from './failures.ts';
import { readQuery, type StatusQuery } from './query.ts';
import { type NodeStatus, type StatusReport, statusKind, statusVersion } from './report.ts';
import { select } from './selection.ts';
import type { ServedView } from './served-view.ts';
import { serviceStatus } from './service.ts';
import { timesBy } from './times.ts';

/** With so many virtual and real servers a page is full, however few Services it has. */
const pageRows = 4_000;

export interface StatusPagesOptions {
  readonly view: ServedView;
  readonly connections: Pick<ConnectionReader, 'page'>;
  readonly clock: Clock;
  /** Returns the state of the node; without it, pages have none. */
  readonly nodeStatus?: (shared: ListedFailures) => NodeStatus;
}

/** The answer to a request: a page as JSON, or what is wrong with the request. */
export type StatusAnswer = { readonly json: string } | { readonly problem: string };

/**
 * Makes pages of what this node serves, one at a time, from what the proxier knows at that moment; nothing is kept for them. Each step
 * is short, however many Services there are.
 */
export class StatusPages {
  readonly #options: StatusPagesOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: StatusPagesOptions) {
    this.#options = options;
  }

  /** The page that some parameters ask for. Those who ask wait for each other; one whose signal has aborted gets nothing. */
  async answer(parameters: URLSearchParams, signal: AbortSignal): Promise<StatusAnswer> {
    const query = readQuery(parameters);
    if ('problem' in query) return query;
    const turn = this.#last.then(() => (signal.aborted ? '' : this.page(query)));
    this.#last = turn.catch(() => undefined);
    return { json: await turn };
  }

  /** A page as JSON, without waiting for others. */
  async page(query: StatusQuery): Promise<string> {
    const { view, clock, connections, nodeStatus } = this.#options;
    const now = () => clock.now();
    const yielder = new Yielder(now);
    const timeOf = timesBy(clock);
    const { keys, hasMore, left } = await select(query, { view, now });
    const failures = await failuresOf(new Set(keys), { view, timeOf, yielder });
    const page = query.connections ? connections.page() : undefined;
    const { address } = query;
    const services: string[] = [];
    let rows = 0;
    for (const key of keys) {
      if (rows >= pageRows) break;
      const own = left.get(key) ?? [];
      const sources = { view, timeOf, yielder, connections: page, address, failures, left: own };
      const found = await serviceStatus(key, sources);
      services.push(JSON.stringify(found.status));
      rows += found.rows;
      await yielder.yieldIfDue();
    }
    const isLast = !hasMore && services.length === keys.length;
    const rest: Omit<StatusReport, 'services'> = {
      kind: statusKind,
      version: statusVersion,
      time: timeOf(clock.now()),
      node: query.after === undefined ? (nodeStatus?.(failures.shared) ?? null) : null,
      continue: isLast ? null : (keys[services.length - 1] ?? null),
      unreadVirtualServers: page?.unread ?? 0,
    };
    return `${JSON.stringify(rest).slice(0, -1)},"services":[${services.join(',\n')}]}\n`;
  }
}
