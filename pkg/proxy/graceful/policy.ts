import type { Protocol } from '../../ip/protocol.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import type { PodState } from '../changes/namespace-pods.ts';
import type { DrainEnd } from '../plan/operation.ts';

/**
 * Which rules end a drain. `pod`: the table in `docs/graceful-termination.md`, which looks at the pod's state. `connections`: upstream's
 * rules, which look at the number of connections alone.
 */
export type DrainMode = 'pod' | 'connections';

/**
 * Why a real server is no longer wanted. `endpoint`: its endpoint is no longer selected. `virtualServer`: its virtual server is
 * removed. `successor`: a wanted endpoint of another pod has the same address and port.
 */
export type DrainCause = 'endpoint' | 'virtualServer' | 'successor';

/** The input of the rules for one real server. Times are milliseconds. */
export interface DrainConditions {
  readonly mode: DrainMode;
  readonly protocol: Protocol;
  readonly scheduler: string;
  readonly cause: DrainCause;
  readonly pod: PodState;
  /** The configured limit of a drain; 0 for no limit. */
  readonly timeout: number;
  /** The virtual server is reached from outside the cluster: it is a node port, an external address or a load-balancer address. */
  readonly isExposed: boolean;
  /** The virtual server's address is no longer bound on the node, so no packet reaches it. */
  readonly isAddressGone: boolean;
}

/** How long a drain may take, and the reason that is reported when it ends by this limit. */
export interface Allowance {
  /** Milliseconds; infinite for no limit. */
  readonly limit: number;
  /** What the limit is counted from: the last packet that the real server sent, or the start of the drain. */
  readonly counts: 'sinceAnswer' | 'sinceStart';
  /** A second limit, in milliseconds since the virtual server was retired. The drain ends at the earlier of the two. */
  readonly retiredLimit?: number;
  readonly end: 'podGone' | 'deadline' | 'atOnce' | 'empty';
  /** Delete it without looking its clients up first: another pod has its address, and would get their packets. */
  readonly isUrgent?: true;
}

/** How long a real server of UDP stays with weight 0 for answers in flight. */
const udpGrace = seconds(2);
/** The same if its pod terminates or left its slices, and will not answer for long. */
const briefUdpGrace = seconds(0.25);
/** How long connections from outside the cluster are kept after their virtual server was retired. */
const exposedLimit = minutes(1);
/** How long a real server that was found at the start stays if no slice has named its address since. */
const unseenLimit = seconds(30);

/** The time that a real server may drain, by the table of `docs/graceful-termination.md`. */
export function allowance(conditions: DrainConditions): Allowance {
  const { mode, protocol, scheduler, cause, pod, isExposed } = conditions;
  // In both modes, as another pod needs the address and port.
  if (cause === 'successor') return atOnceForSuccessor;
  if (mode === 'connections')
    return protocol === 'TCP' && cause === 'endpoint' ? unlimited : immediately;
  const timeout = conditions.timeout === 0 ? Number.POSITIVE_INFINITY : conditions.timeout;
  if (pod === 'gone') return { ...immediately, end: 'podGone' };
  const isUnreachable = cause === 'virtualServer' && conditions.isAddressGone;
  if (isUnreachable || scheduler === 'dh') return immediately;
  if (protocol === 'UDP') {
    if (cause === 'virtualServer' || pod === 'unseen') return immediately;
    const limit = pod === 'alive' ? udpGrace : briefUdpGrace;
    return { limit, counts: 'sinceStart', end: 'empty' };
  }
  if (cause === 'virtualServer')
    return isExposed ? { ...deadline(timeout), retiredLimit: exposedLimit } : deadline(timeout);
  switch (pod) {
    case 'alive':
      return unlimited;
    case 'dying':
    case 'left':
      return deadline(timeout);
    case 'unseen':
      return { limit: unseenLimit, counts: 'sinceStart', end: 'deadline' };
  }
}

const unlimited: Allowance = {
  limit: Number.POSITIVE_INFINITY,
  counts: 'sinceStart',
  end: 'deadline',
};
const immediately: Allowance = { limit: 0, counts: 'sinceStart', end: 'atOnce' };
const atOnceForSuccessor: Allowance = { ...immediately, end: 'podGone', isUrgent: true };

function deadline(limit: number): Allowance {
  return { limit, counts: 'sinceAnswer', end: 'deadline' };
}

/**
 * The counters of a real server from one dump of IPVS. Active are TCP connections that are opening or established, and SCTP
 * associations that are established. All others are inactive, and so are all of UDP.
 */
export interface Reading {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly incomingPackets: bigint;
  readonly outgoingPackets: bigint;
}

/** What has been observed of a drain so far. Times are milliseconds of one clock. */
export interface Progress {
  /** When the drain began. */
  readonly started: number;
  /** When its virtual server was retired; `undefined` while it is wanted. */
  readonly retired: number | undefined;
  /** When the counter of packets from the real server was last seen to rise; at first the start of the drain. */
  readonly lastAnswer: number;
  /**
   * Packets to the real server since its last answer: when a reading first showed some, when one last did, and how many did.
   * `undefined` if there are none.
   */
  readonly unanswered:
    | { readonly since: number; readonly last: number; readonly rises: number }
    | undefined;
  readonly reading: Reading | undefined;
}

/** The progress of a drain that begins now. */
export function beginning(now: number): Progress {
  const retired = undefined;
  const unanswered = undefined;
  const reading = undefined;
  return { started: now, retired, lastAnswer: now, unanswered, reading };
}

/** The progress after the cause changed: sets `retired` when the virtual server is removed, and clears it when it is wanted again. */
export function withCause(progress: Progress, { cause, now }: { cause: DrainCause; now: number }) {
  const retired = cause === 'virtualServer' ? (progress.retired ?? now) : undefined;
  return { ...progress, retired };
}

/** The kernel refreshes its statistics every 2 s. A counter that rose within this time of the start may count packets from before it. */
const staleTime = seconds(2.5);

/**
 * The progress after one more reading. `canReach` tells whether the node can reach the real server: IPVS also counts ICMP errors
 * as packets from the real server, and for one that cannot be reached they are sent by the node itself.
 */
export function observe(
  progress: Progress,
  { reading, now, canReach }: { reading: Reading; now: number; canReach: () => boolean },
): Progress {
  const { reading: last, unanswered } = progress;
  if (last === undefined) return { ...progress, reading };
  const isAnswering = reading.outgoingPackets > last.outgoingPackets && canReach();
  if (isAnswering) {
    const lastAnswer = now - progress.started < staleTime ? progress.lastAnswer : now;
    return { ...progress, reading, lastAnswer, unanswered: undefined };
  }
  if (reading.incomingPackets <= last.incomingPackets) return { ...progress, reading };
  const { since, rises } = unanswered ?? { since: now, rises: 0 };
  return { ...progress, reading, unanswered: { since, last: now, rises: rises + 1 } };
}

/** How long packets must stay unanswered until the real server counts as dead, by default. */
const unansweredLimit = minutes(1);
/**
 * A single packet may need no answer. So the unanswered packets must be spread over this share of the limit, and be seen in this
 * many readings. TCP doubles the time between retransmissions; of those within a minute the last comes after 51 s.
 */
const unansweredShare = 3 / 4;
const unansweredRises = 3;

/** Why a drain is over; `undefined` if it goes on. */
export function ending(
  progress: Progress,
  {
    allowed,
    mode,
    now,
    unansweredAfter = unansweredLimit,
  }: {
    allowed: Allowance;
    mode: DrainMode;
    now: number;
    unansweredAfter?: number | undefined;
  },
): DrainEnd | undefined {
  const { reading, unanswered } = progress;
  if (reading !== undefined && connections(reading) === 0) return 'empty';
  if (now >= deadlineOf(progress, allowed)) return allowed.end;
  if (mode === 'connections' || unanswered === undefined) return undefined;
  const { since, last, rises } = unanswered;
  const isDead =
    now - since >= unansweredAfter &&
    last - since >= unansweredAfter * unansweredShare &&
    rises >= unansweredRises;
  return isDead ? 'unanswered' : undefined;
}

/** When the allowed time of a drain ends; infinite if there is no limit. */
export function deadlineOf(
  { started, retired = started, lastAnswer }: Progress,
  { counts, limit, retiredLimit = Number.POSITIVE_INFINITY }: Allowance,
): number {
  return Math.min(
    (counts === 'sinceAnswer' ? lastAnswer : started) + limit,
    retired + retiredLimit,
  );
}

/** When a real server that does not answer may count as dead. Infinite if it answers, or if that time has passed. */
export function unansweredDue({ unanswered }: Progress, now: number): number {
  const due = unanswered === undefined ? now : unanswered.since + unansweredLimit;
  return due > now ? due : Number.POSITIVE_INFINITY;
}

/** The number of connections of a real server, closing ones included. */
function connections({ activeConnections, inactiveConnections }: Reading): number {
  return activeConnections + inactiveConnections;
}

/** The shortest and longest time between two dumps that look at drains, in milliseconds. */
const shortestInterval = seconds(1);
const longestInterval = minutes(1);
/** The longest time between two dumps if all that is left are closing connections, which end soon. */
const closingInterval = seconds(5);

/**
 * The time of the last answer is known only as exactly as the time between two dumps. Where a limit is counted from it, dumps are no
 * further apart than this share of the limit.
 */
const precision = 1 / 15;

/**
 * Milliseconds until the next dump. It is the age of the youngest drain, within bounds, so the time between two dumps doubles.
 * `isClosing` says that only closing connections are left. `limit` is the shortest limit that is counted from the last answer.
 */
export function nextInterval(
  age: number,
  { mode, isClosing, limit }: { mode: DrainMode; isClosing: boolean; limit?: number },
): number {
  if (mode === 'connections') return longestInterval;
  const longest = Math.min(
    isClosing ? closingInterval : longestInterval,
    (limit ?? Number.POSITIVE_INFINITY) * precision,
  );
  return Math.max(shortestInterval, Math.min(age, longest));
}
