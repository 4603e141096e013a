import type { Flow } from '../../conntrack/conntrack.ts';
import type { ClientConnection } from '../../reset/reset.ts';

/** A client whose connection to a real server is established. */
export interface WaitingClient {
  /** Its flow in conntrack, or the one that conntrack would have. */
  readonly flow: Flow;
  /** False if only IPVS's table had it. */
  readonly isTracked: boolean;
}

/** The clients of a real server, as far as they were found. */
export interface FoundClients {
  /** The number of clients. */
  readonly count: number;
  /** Those that can be reset: all of them, or none if there are too many in all. */
  readonly waiting: readonly WaitingClient[];
  /** How many active connections IPVS counted beyond those that were found. */
  readonly missing: number;
}

/** What has to happen around the deletion of a real server, as it was looked up before. */
export interface Cleanup {
  /** Connections that IPVS would keep after the deletion: they are closed before it. `undefined` where it keeps none. */
  readonly closing: readonly ClientConnection[] | undefined;
  /** Clients that send nothing and so would not notice the deletion. They are sent a reset after it. */
  readonly clients: FoundClients;
  /**
   * UDP flows to the real server. IPVS drops datagrams of a deleted real server that belong to a flow which conntrack knows, until it
   * has deleted its own entries some milliseconds later (ip_vs_conn_uses_old_conntrack); one that conntrack does not know goes to
   * another real server at once. So the flows are deleted right before it is, and those that a datagram made anew in between
   * right after. A masqueraded flow is needed for the answer to a query on its way, and is deleted after the real server only.
   */
  readonly flows: readonly Flow[];
}

/** The steps around deletions, by the names under which they are counted. */
export type CleanupStep = 'closeConnection' | 'deleteFlow' | 'resetClient';

/** `closes 2 connections, deletes 1 flow, resets 3 clients`; steps that are not needed are left out. */
export function printCleanup({ closing = [], flows, clients }: Cleanup): string {
  const counted = [
    ['closes', closing.length, 'connection'],
    ['deletes', flows.length, 'flow'],
    ['resets', clients.waiting.length, 'client'],
  ] as const;
  return counted
    .filter(([, count]) => count > 0)
    .map(([does, count, what]) => `${does} ${count} ${what}${count === 1 ? '' : 's'}`)
    .join(', ');
}

/** A deletion around which nothing has to happen. */
export const noCleanup: Cleanup = {
  closing: undefined,
  clients: { count: 0, waiting: [], missing: 0 },
  flows: [],
};
