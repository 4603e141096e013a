import type { IpAddress } from '../../ip/address.ts';
import { type RealServerStatus, realServerKey } from '../../ipvs/ipvs.ts';
import type { DrainEnd } from '../plan/operation.ts';
import type { Drain, DrainGroup } from './list.ts';
import {
  type Allowance,
  type DrainMode,
  deadlineOf,
  ending,
  nextInterval,
  observe,
  unansweredDue,
} from './policy.ts';

/** A drain and what it is allowed now. */
export interface Judged {
  readonly drain: Drain;
  readonly allowed: Allowance;
}

/** A drain that is over, and why. */
export interface Over {
  readonly drain: Drain;
  readonly end: DrainEnd;
  /** It goes now: see {@link Allowance}. */
  readonly isUrgent: boolean;
}

/** What the kernel said of a virtual server's real servers, if it was asked, and when. */
export interface Look {
  readonly found: ReadonlyMap<string, RealServerStatus> | undefined;
  readonly now: number;
  readonly mode: DrainMode;
  /** After how many milliseconds of unanswered packets a server counts as dead. */
  readonly unansweredAfter?: number | undefined;
  /** Whether the node's packets to an address have anywhere to go. */
  readonly canReach: (address: IpAddress) => boolean;
}

/** Whether nothing is decided about a drain, or it has become urgent since. */
export function isUndecided({ drain, allowed }: Judged): boolean {
  return drain.ending === undefined || (drain.ending === 'soon' && allowed.isUrgent === true);
}

/** Counters say something only of connections, and only where the rules ask for them: UDP is over when its time is. */
export function needsReading({ drain, allowed }: Judged): boolean {
  return (
    drain.request.virtualServer.protocol !== 'UDP' &&
    (allowed.limit > 0 || allowed.end !== 'atOnce')
  );
}

/** Which drains are over. */
export function judge(judged: readonly Judged[], look: Look): readonly Over[] {
  const { found, now, mode, unansweredAfter } = look;
  return judged.flatMap(({ drain, allowed }) => {
    const status = found?.get(realServerKey(drain.request.realServer));
    const isUrgent = allowed.isUrgent === true;
    if (found !== undefined && status === undefined)
      return [{ drain, end: 'vanished' as const, isUrgent }];
    if (status !== undefined && needsReading({ drain, allowed }))
      takeReading(drain, { status, look });
    const end = ending(drain.progress, { allowed, mode, now, unansweredAfter });
    return end === undefined ? [] : [{ drain, end, isUrgent }];
  });
}

function takeReading(
  drain: Drain,
  { status, look: { now, canReach } }: { status: RealServerStatus; look: Look },
): void {
  const { activeConnections, inactiveConnections, statistics } = status;
  const { incomingPackets, outgoingPackets } = statistics;
  const reading = { activeConnections, inactiveConnections, incomingPackets, outgoingPackets };
  drain.progress = observe(drain.progress, {
    ...{ reading, now },
    canReach: () => canReach(drain.request.realServer.address),
  });
}

/** Decides when to look at a virtual server again: after the interval, or when the first of its drains reaches its limit. */
export function planNextLook(
  group: DrainGroup,
  { judged, now, mode }: { judged: readonly Judged[]; now: number; mode: DrainMode },
): void {
  const waiting = judged.filter(
    ({ drain }) =>
      group.drains.get(realServerKey(drain.request.realServer)) === drain &&
      drain.ending === undefined,
  );
  const read = waiting.filter(needsReading);
  const isClosing = read.some(({ drain }) => drain.progress.reading?.activeConnections === 0);
  const limits = read.map(({ allowed: { counts, limit } }) =>
    counts === 'sinceLife' ? limit : Number.POSITIVE_INFINITY,
  );
  const interval = nextInterval(now - group.since, { mode, isClosing, limit: Math.min(...limits) });
  group.due = Math.min(
    read.length > 0 ? now + interval : Number.POSITIVE_INFINITY,
    ...waiting.map(({ drain, allowed }) => deadlineOf(drain.progress, allowed)),
    ...read.map(({ drain }) => unansweredDue(drain.progress, now)),
  );
}

/**
 * Whether clients may be connected to a server that is over, and would not hear of it if they only wait; those whose connections are
 * closing only if they would meet them again.
 */
export function cutsClients(
  { drain: { request, progress }, end }: Over,
  { cutsClosing }: { cutsClosing: boolean },
): boolean {
  if (request.virtualServer.protocol !== 'TCP' || end === 'vanished' || end === 'empty')
    return false;
  const { activeConnections, inactiveConnections } = progress.reading ?? one;
  return activeConnections + (cutsClosing ? inactiveConnections : 0) > 0;
}

const one = { activeConnections: 1, inactiveConnections: 0 };
