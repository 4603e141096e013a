import type { Kind } from './types.ts';

/** How a watch ended: the server closed it, nothing came for too long, or it failed. */
export type WatchEnd = 'closed' | 'silent' | 'failed';

/** What this folder counts. The program decides where the counts go. */
export interface KubeMetrics {
  /** A request was answered or failed: `code` is the HTTP status or `<error>`, `duration` the seconds until the head of the answer. */
  requested(request: {
    readonly method: string;
    readonly host: string;
    readonly code: string;
    readonly duration: number;
  }): void;
  /** All objects of a kind were read, by a streaming watch or a list. */
  listed(kind: Kind, how: 'stream' | 'list'): void;
  /** A list or a watch failed. The reason is an HTTP status, `connection`, `malformed` or `other`. */
  failed(kind: Kind, reason: string): void;
  /** A watch of a kind ended. One that is no longer wanted does not count. */
  watchEnded(kind: Kind, end: WatchEnd): void;
  /** How many objects of a kind a complete read left out and wait for a second read. */
  unconfirmed(kind: Kind, count: number): void;
  /** Kubernetes Events were dropped because the API did not answer or too many came. */
  eventsDropped(count: number): void;
}

/** Metrics that count nothing. */
export const noMetrics: KubeMetrics = {
  requested() {},
  listed() {},
  failed() {},
  watchEnded() {},
  unconfirmed() {},
  eventsDropped() {},
};

/** The log of this folder: a message and its fields. */
export interface KubeLog {
  info(message: string, details?: Readonly<Record<string, unknown>>): void;
  error(message: string, details?: Readonly<Record<string, unknown>>): void;
}
