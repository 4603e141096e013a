import type { Clock } from '../../pkg/runner/clock.ts';
import type { Faults } from './faults.ts';
import type { Registry } from './registry.ts';
import type { RequestLog } from './request-log.ts';

/** What answering a request needs. */
export interface Context {
  readonly registry: Registry;
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly clock: Clock;
  /** Milliseconds between two bookmarks of a watch. */
  readonly bookmarkInterval: number;
  /** Whether requests may be refused for what their objects say. */
  readonly isValidating: () => boolean;
  /** Whether lists and watches are answered in protobuf to those who ask for it. */
  readonly hasProtobuf: () => boolean;
}
