import type { Kind } from './types.ts';

/** What this folder counts; whoever assembles the program says where the counts go. */
export interface KubeMetrics {
  /** A request was answered, or failed: `code` is the HTTP status or `<error>`, `duration` the seconds to the answer's head. */
  requested(request: {
    readonly method: string;
    readonly host: string;
    readonly code: string;
    readonly duration: number;
  }): void;
  /** All objects of a kind were read: in a streaming watch or as a list. */
  listed(kind: Kind, how: 'stream' | 'list'): void;
  /** A list or a watch failed: an HTTP status, `connection`, `malformed` or `other`. */
  failed(kind: Kind, reason: string): void;
  /** How many objects of a kind a complete read left out and a second one has yet to decide about. */
  unconfirmed(kind: Kind, count: number): void;
  /** Kubernetes Events that were given up because the API was away or too many came. */
  eventsDropped(count: number): void;
}

/** Counts nothing. */
export const noMetrics: KubeMetrics = {
  requested() {},
  listed() {},
  failed() {},
  unconfirmed() {},
  eventsDropped() {},
};

/** What this folder says to people: one line, and what it is about. */
export interface KubeLog {
  info(message: string, details?: Readonly<Record<string, unknown>>): void;
  error(message: string, details?: Readonly<Record<string, unknown>>): void;
}
