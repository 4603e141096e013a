import type { Protocol } from '../../ip/protocol.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import type { PodState } from '../changes/namespace-pods.ts';
import type { DrainEnd } from '../plan/operation.ts';

/** Whose rules end a drain: `pod`, ours (`docs/graceful-termination.md`), or `connections`, upstream's. */
export type DrainMode = 'pod' | 'connections';

/**
 * Why a real server is not wanted: its endpoint is not chosen any more, or its whole virtual server goes, or another pod that is
 * wanted has its address.
 */
export type DrainCause = 'endpoint' | 'virtualServer' | 'successor';

/** What the rules look at. Times are milliseconds. */
export interface DrainConditions {
  readonly mode: DrainMode;
  readonly protocol: Protocol;
  readonly scheduler: string;
  readonly cause: DrainCause;
  readonly pod: PodState;
  /** 0 for no limit. */
  readonly timeout: number;
  /** Clients come from outside: through a node port, an external or a load-balancer address. */
  readonly isExposed: boolean;
  /** The virtual server's address is no longer on the node: nobody reaches it. */
  readonly isAddressGone: boolean;
}

/** How long a drain may take, and what it is called when that is over. */
export interface Allowance {
  /** Milliseconds; infinite for no limit. */
  readonly limit: number;
  /** From when the limit counts: the server's last sign of life, or the drain's beginning. */
  readonly counts: 'sinceLife' | 'sinceStart';
  /** Milliseconds from when its virtual server was no longer wanted, after which it is over in any case. */
  readonly outlives?: number;
  readonly end: 'podGone' | 'deadline' | 'atOnce' | 'empty';
  /** Not even for its clients' sake may it stay: what they send comes to another pod. */
  readonly isUrgent?: true;
}

/** How long answers of a UDP server may be in flight. */
const udpGrace = seconds(2);
/** The same where its pod will not answer for long. */
const briefUdpGrace = seconds(0.25);
/** How long connections from outside outlive their virtual server. */
const exposedLimit = minutes(1);
/** How long a server that was found at start waits for a slice to name it. */
const unseenLimit = seconds(30);

/** The table of `docs/graceful-termination.md`, row by row: what a real server is allowed that is no longer wanted. */
export function allowance(conditions: DrainConditions): Allowance {
  const { mode, protocol, scheduler, cause, pod, isExposed } = conditions;
  // Whatever the rules: another pod needs the address.
  if (cause === 'successor') return succeeded;
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
    return isExposed ? { ...deadline(timeout), outlives: exposedLimit } : deadline(timeout);
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
const succeeded: Allowance = { ...immediately, end: 'podGone', isUrgent: true };

function deadline(limit: number): Allowance {
  return { limit, counts: 'sinceLife', end: 'deadline' };
}

/**
 * What one dump said of a real server. Active connections of TCP are those that are opening or established, of SCTP those that are
 * established; all others are inactive, and of UDP all.
 */
export interface Reading {
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly incomingPackets: bigint;
  readonly outgoingPackets: bigint;
}

/** What was seen of a drain so far. Times are milliseconds of one clock. */
export interface Progress {
  readonly started: number;
  /** Since when its virtual server is no longer wanted; `undefined` as long as it is. */
  readonly retired: number | undefined;
  /** When packets of the server were last seen, or the start. */
  readonly lastLife: number;
  /** Since when packets come in that nothing answers, when they last came, and in how many readings. */
  readonly unanswered:
    | { readonly since: number; readonly last: number; readonly rises: number }
    | undefined;
  readonly reading: Reading | undefined;
}

/** A drain that begins. */
export function beginning(now: number): Progress {
  const retired = undefined;
  const unanswered = undefined;
  const reading = undefined;
  return { started: now, retired, lastLife: now, unanswered, reading };
}

/** A drain whose virtual server goes as well, or does not any more. */
export function withCause(progress: Progress, { cause, now }: { cause: DrainCause; now: number }) {
  const retired = cause === 'virtualServer' ? (progress.retired ?? now) : undefined;
  return { ...progress, retired };
}

/** The kernel refreshes its statistics every 2 s: what they show before this time, looks being late, may be older than the drain. */
const staleTime = seconds(2.5);

/**
 * A drain after one more dump. IPVS counts ICMP errors about a server's packets as packets of the server: where the node cannot
 * reach it, they are the node's own.
 */
export function observe(
  progress: Progress,
  { reading, now, canReach }: { reading: Reading; now: number; canReach: () => boolean },
): Progress {
  const { reading: last, unanswered } = progress;
  if (last === undefined) return { ...progress, reading };
  const isAnswering = reading.outgoingPackets > last.outgoingPackets && canReach();
  if (isAnswering) {
    const lastLife = now - progress.started < staleTime ? progress.lastLife : now;
    return { ...progress, reading, lastLife, unanswered: undefined };
  }
  if (reading.incomingPackets <= last.incomingPackets) return { ...progress, reading };
  const { since, rises } = unanswered ?? { since: now, rises: 0 };
  return { ...progress, reading, unanswered: { since, last: now, rises: rises + 1 } };
}

/** How long packets go unanswered until the server counts as dead, if nobody says otherwise. */
const unansweredLimit = minutes(1);
/**
 * One packet that needs no answer is no sign of death: there must have been several, over most of that time. Retransmissions
 * double their distance, so that the last one within a minute comes at 51 s.
 */
const unansweredShare = 3 / 4;
const unansweredRises = 3;

/** Whether a drain is over, and why. */
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

/** When a drain has had all the time that it is allowed; infinite if there is no limit. */
export function deadlineOf(
  { started, retired = started, lastLife }: Progress,
  { counts, limit, outlives = Number.POSITIVE_INFINITY }: Allowance,
): number {
  return Math.min((counts === 'sinceLife' ? lastLife : started) + limit, retired + outlives);
}

/** When a server that answers nothing can be taken for dead, if that is still to come; infinite for one that answers. */
export function unansweredDue({ unanswered }: Progress, now: number): number {
  const due = unanswered === undefined ? now : unanswered.since + unansweredLimit;
  return due > now ? due : Number.POSITIVE_INFINITY;
}

/** How many connections a server still has, those that are closing included. */
function connections({ activeConnections, inactiveConnections }: Reading): number {
  return activeConnections + inactiveConnections;
}

const shortestInterval = seconds(1);
const longestInterval = minutes(1);
/** The longest while only closing connections are left: their end is near. */
const closingInterval = seconds(5);

/** A deadline counts from the last sign of life, which is known as precisely as looks follow each other: this part of the limit. */
const precision = 1 / 15;

/**
 * In how many milliseconds to look again at drains, the youngest of which goes on for some time: after as much time again,
 * within bounds. The limit is the shortest that counts from a sign of life.
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
