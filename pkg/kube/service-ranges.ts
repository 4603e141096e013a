import { Backoff } from '../runner/backoff.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import type { Client } from './api/client.ts';
import { ApiError, askedPause, MalformedError } from './api/error.ts';
import type { KubeLog } from './metrics.ts';
import { isObject } from './objects/fields.ts';

/** Where ServiceCIDR objects are, since Kubernetes 1.33. */
const path = '/apis/networking.k8s.io/v1/servicecidrs';
/** How often they are read: they hardly ever change, and a late change costs nothing but a route for each new VIP. */
const interval = minutes(5);
/** How long the program waits before it asks again for what it may not read, or what the server does not have. */
const refusedInterval = minutes(30);
/** How many networks are taken from all objects together. */
const rangeLimit = 64;

export interface ServiceRangesOptions {
  readonly client: Pick<Client, 'get'>;
  readonly clock: Clock;
  readonly log: KubeLog;
}

/** Reads the networks of ClusterIPs from the cluster's ServiceCIDR objects, as far as they are readable. */
export class ServiceRanges {
  readonly #options: ServiceRangesOptions;
  readonly #backoff = new Backoff({ first: seconds(1), last: minutes(5) });
  #last: string | undefined;
  #reported = '';

  constructor(options: ServiceRangesOptions) {
    this.#options = options;
  }

  /**
   * Reports the networks as texts when they are first read, and when they change, until the signal aborts. Reports none if the objects
   * are not readable at first; later the last ones stay valid.
   */
  async run(onRanges: (ranges: readonly string[]) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pause = await this.#read(onRanges, signal);
      await sleep(this.#options.clock, pause, signal);
    }
  }

  /** Reads once. Returns the time until the next read. */
  async #read(onRanges: (ranges: readonly string[]) => void, signal: AbortSignal): Promise<number> {
    try {
      const ranges = rangesOf(await this.#options.client.get(path, { signal }));
      this.#backoff.reset();
      this.#reported = '';
      this.#report(ranges, onRanges);
      return interval;
    } catch (error) {
      if (signal.aborted) return 0;
      const isRefused = error instanceof ApiError && (error.status === 403 || error.status === 404);
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#reported)
        this.#options.log.info('ServiceCIDR objects cannot be read', { reason });
      this.#reported = reason;
      if (isRefused && this.#last === undefined) this.#report([], onRanges);
      return isRefused ? refusedInterval : Math.max(this.#backoff.next(), askedPause(error));
    }
  }

  #report(ranges: readonly string[], onRanges: (ranges: readonly string[]) => void): void {
    const text = ranges.join(' ');
    if (text === this.#last) return;
    this.#last = text;
    onRanges(ranges);
  }
}

/** The networks of a ServiceCIDRList, sorted. Throws a MalformedError if it is none. Objects without valid texts have none. */
function rangesOf(list: unknown): readonly string[] {
  const isList = isObject(list) && list['kind'] === 'ServiceCIDRList';
  const items = isList ? (list['items'] ?? []) : undefined;
  if (!Array.isArray(items)) throw new MalformedError('an answer in place of a ServiceCIDRList');
  const found = new Set<string>();
  for (const item of items as readonly unknown[]) {
    const spec = isObject(item) ? item['spec'] : undefined;
    const cidrs = isObject(spec) ? spec['cidrs'] : undefined;
    if (!Array.isArray(cidrs)) continue;
    for (const cidr of cidrs as readonly unknown[])
      if (typeof cidr === 'string' && found.size < rangeLimit) found.add(cidr);
  }
  return [...found].toSorted();
}
