import type { Kind } from './types.ts';

/** How a watch ended: the server closed it, nothing came for too long, or it failed. */
export type WatchEnd = 'closed' | 'silent' | 'failed';

/** One request to the API server: its method, and the server as `host:port`. */
export interface RequestTarget {
  readonly method: string;
  readonly host: string;
}

/** What the client counts about its requests. Durations are in seconds, sizes in bytes. */
export interface RequestMetrics {
  /**
   * A request was answered or failed: `code` is the HTTP status or `<error>`, `duration` the time until the head of the answer.
   * `isRetry` is set for a request that repeats one whose credentials were refused.
   */
  requested(
    request: RequestTarget & {
      readonly code: string;
      readonly duration: number;
      readonly isRetry: boolean;
    },
  ): void;
  /** A request waited so long for the rate limit, often 0. */
  rateLimited(request: RequestTarget & { readonly duration: number }): void;
  /** A request that is no watch had a body of this size, 0 without a body. */
  sent(request: RequestTarget & { readonly size: number }): void;
  /** The body of an answer was read to its end. Those of watches do not count. */
  received(request: RequestTarget & { readonly size: number }): void;
}

/** How one run of an exec plug-in ended, in client-go's words. The code is 0 exactly for `no_error`, and -1 after a signal. */
export interface PluginCall {
  readonly status:
    | 'no_error'
    | 'plugin_execution_error'
    | 'plugin_not_found_error'
    | 'client_internal_error';
  readonly code: number;
}

/** How reading the file of the certificate authority again ended, in client-go's words. */
export type AuthorityReload = 'unchanged' | 'updated' | 'read_error' | 'empty' | 'ca_parse_error';

/** What reading credentials counts. */
export interface CredentialMetrics {
  /** An exec plug-in was run. */
  pluginCalled(call: PluginCall): void;
  /** When the client certificate of the exec plug-in expires, in milliseconds since 1970; `undefined` for no certificate. */
  pluginCertificate(expires: number | undefined): void;
  /** Another certificate took the place of one of the exec plug-in whose validity began so many seconds ago. */
  pluginCertificateRotated(age: number): void;
  /** The file of the certificate authority was read again. */
  authorityReloaded(reload: AuthorityReload): void;
}

/** What this folder counts. The program decides where the counts go. */
export interface KubeMetrics extends RequestMetrics, CredentialMetrics {
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
  rateLimited() {},
  sent() {},
  received() {},
  pluginCalled() {},
  pluginCertificate() {},
  pluginCertificateRotated() {},
  authorityReloaded() {},
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
