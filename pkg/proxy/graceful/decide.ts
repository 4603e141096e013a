import type { IpAddress } from '../../ip/address.ts';
import type { RealServerStatus } from '../../ipvs/ipvs.ts';
import type { ReadonlyRealServerMap } from '../desired/real-server-map.ts';
import type { Cleanup } from '../plan/cleanup.ts';
import type { DrainEnd, Operation } from '../plan/operation.ts';
import type { Leaving } from './client-search.ts';
import type { Drain } from './list.ts';
import type { FoundCleanups } from './look-up.ts';
import {
  type Allowance,
  allowance,
  type DrainConditions,
  type DrainMode,
  deadlineOf,
  ending,
  nextInterval,
  observe,
  type Progress,
  unansweredDue,
  withCause,
} from './policy.ts';

/** The values that the rules of a drain depend on besides the drain itself. */
export interface DrainContext
  extends Pick<
    DrainConditions,
    'cause' | 'pod' | 'timeout' | 'isExposed' | 'isAddressGone' | 'scheduler'
  > {
  /** A Service wants the real server now, and for the same pod as far as both are known. */
  readonly isWanted: boolean;
}

/** The state of the kernel at this moment, as far as it was read. */
export interface Readings {
  /** The real servers of the virtual server; `undefined` if they were not read. */
  readonly realServers: ReadonlyRealServerMap<RealServerStatus> | undefined;
  /** Addresses that the node cannot reach. Packets that seem to come from them are no answers of the real server. */
  readonly unreachable: ReadonlySet<IpAddress>;
  /** What has to happen around deletions, for the drains that it was looked up for. */
  readonly cleanups: FoundCleanups | undefined;
}

/** The input of a decision: values of one moment. */
export interface DecideInput {
  readonly readings: Readings;
  /** The drains that are decided about; others are left as they are. */
  readonly contexts: ReadonlyMap<Drain, DrainContext>;
  readonly now: number;
  readonly mode: DrainMode;
  /** After how many milliseconds of unanswered packets a real server counts as dead; a minute unless said otherwise. */
  readonly unansweredAfter?: number | undefined;
  /** For which protocols a look-up is made before a deletion, and whether IPVS forgets connections of a deleted real server. */
  readonly lookUps: {
    readonly TCP: boolean;
    readonly UDP: boolean;
    readonly expiresConnections: boolean;
  };
}

/** A drain that is over, and why. */
export interface FinishedDrain {
  readonly drain: Drain;
  readonly end: DrainEnd;
  /** It is deleted without waiting for a look-up: see {@link Allowance}. */
  readonly isUrgent: boolean;
}

type Deletion = Extract<Operation, { kind: 'deleteRealServer' }>;

/** The decision about the drains of one virtual server. */
export interface Decision {
  /** The operations to carry out, each with its drain, which is over if it succeeds. */
  readonly deletions: ReadonlyMap<Deletion, FinishedDrain>;
  /** Drains that are over without an operation: wanted again, or deleted by somebody else. */
  readonly ended: readonly FinishedDrain[];
  /** Drains that are over, and wait for a look-up. */
  readonly lookUps: readonly FinishedDrain[];
  /** The new progress of the drains. */
  readonly progress: ReadonlyMap<Drain, Progress>;
  /** When to decide again about those that go on; infinite if none does. */
  readonly due: number;
}

/** How many drains of a virtual server may end in one decision. The others end in the next ones. */
const endsAtOnce = 500;

/** Whether the rules need the counters of a drain. Those of UDP do not: such a drain ends when its time is over. */
export function needsReading(drain: Drain, allowed: Allowance): boolean {
  return (
    drain.request.virtualServer.protocol !== 'UDP' &&
    (allowed.limit > 0 || allowed.end !== 'atOnce')
  );
}

/** What a drain is allowed by the table. */
export function allowanceOf(
  drain: Drain,
  { mode, context }: { mode: DrainMode; context: DrainContext },
): Allowance {
  return allowance({ mode, protocol: drain.request.virtualServer.protocol, ...context });
}

/** Whether a drain must be decided about: its end is not decided yet, or it has become urgent since. */
export function isUndecided({ ending: decided }: Drain, allowed: Allowance): boolean {
  return decided === undefined || (!decided.isUrgent && allowed.isUrgent === true);
}

/**
 * Decides about the drains of one virtual server, the youngest of which began at `since`, from what is known of them, of the
 * kernel and of their pods. Changes nothing.
 */
export function decide(
  drains: readonly Drain[],
  input: DecideInput & { readonly since: number },
): Decision {
  const outcomes = drains.flatMap((drain) => outcomeOf(drain, input) ?? []);
  const finished = outcomes.filter((one) => one.kind === 'finished');
  const ends = finished.slice(0, endsAtOnce);
  const lookUps = ends.filter((one) => needsLookUp(one, input.lookUps));
  const waits = new Set(lookUps);
  const deletions = [
    ...outcomes.filter((one) => one.kind === 'lookedUp'),
    ...ends.filter((one) => !waits.has(one)),
  ];
  return {
    deletions: new Map(deletions.map((one) => [deletionOf(one), one])),
    ended: outcomes.filter((one) => one.kind === 'ended'),
    lookUps,
    progress: new Map(outcomes.map(({ drain, progress }) => [drain, progress])),
    due:
      finished.length > ends.length
        ? input.now
        : nextDue(
            outcomes.filter((one) => one.kind === 'goesOn'),
            input,
          ),
  };
}

/** The decision about one drain. */
type Outcome =
  | (FinishedDrain & { readonly kind: 'ended'; readonly progress: Progress })
  | (FinishedDrain & { readonly kind: 'finished'; readonly progress: Progress })
  | (FinishedDrain & {
      readonly kind: 'lookedUp';
      readonly progress: Progress;
      readonly cleanup: Cleanup;
    })
  | GoesOn;

interface GoesOn {
  readonly kind: 'goesOn';
  readonly drain: Drain;
  readonly progress: Progress;
  readonly allowed: Allowance;
}

/** `undefined` if the drain is left as it is. */
function outcomeOf(drain: Drain, input: DecideInput): Outcome | undefined {
  const { readings, contexts, now, mode, unansweredAfter } = input;
  const context = contexts.get(drain);
  if (context === undefined) return undefined;
  const allowed = allowanceOf(drain, { mode, context });
  const isUrgent = allowed.isUrgent === true;
  const progress = withCause(drain.progress, { cause: context.cause, now });
  const over = (end: DrainEnd) => ({ drain, end, isUrgent, progress });
  if (context.isWanted) return { kind: 'ended', ...over('wanted') };
  const cleanup = readings.cleanups?.get(drain.request);
  if (drain.ending !== undefined && cleanup !== undefined)
    return { kind: 'lookedUp', ...over(drain.ending.end), cleanup };
  if (!isUndecided(drain, allowed)) return undefined;
  const status = readings.realServers?.get(drain.request.realServer);
  if (readings.realServers !== undefined && status === undefined)
    return { kind: 'ended', ...over('vanished') };
  const seen =
    status !== undefined && needsReading(drain, allowed)
      ? withReading(progress, { status, input })
      : progress;
  const end = ending(seen, { allowed, mode, now, unansweredAfter });
  if (end === undefined) return { kind: 'goesOn', drain, progress: seen, allowed };
  return { kind: 'finished', drain, end, isUrgent, progress: seen };
}

function withReading(
  progress: Progress,
  { status, input: { readings, now } }: { status: RealServerStatus; input: DecideInput },
): Progress {
  const { activeConnections, inactiveConnections, statistics } = status;
  const { incomingPackets, outgoingPackets } = statistics;
  const reading = { activeConnections, inactiveConnections, incomingPackets, outgoingPackets };
  const canReach = () => !readings.unreachable.has(status.address);
  return observe(progress, { reading, now, canReach });
}

/** When to read again: after the interval, or when the first drain reaches its limit. */
function nextDue(
  goOn: readonly GoesOn[],
  { since, now, mode }: { since: number; now: number; mode: DrainMode },
): number {
  const read = goOn.filter(({ drain, allowed }) => needsReading(drain, allowed));
  const isClosing = read.some(({ progress }) => progress.reading?.activeConnections === 0);
  const limits = read.map(({ allowed: { counts, limit } }) =>
    counts === 'sinceAnswer' ? limit : Number.POSITIVE_INFINITY,
  );
  const interval = nextInterval(now - since, { mode, isClosing, limit: Math.min(...limits) });
  return Math.min(
    read.length > 0 ? now + interval : Number.POSITIVE_INFINITY,
    ...goOn.map(({ progress, allowed }) => deadlineOf(progress, allowed)),
    ...read.map(({ progress }) => unansweredDue(progress, now)),
  );
}

/**
 * Whether clients or flows are looked up before a deletion. TCP: if the real server has established connections; closing ones count
 * only if IPVS would keep them. UDP: if the real server may have answers in flight.
 */
function needsLookUp(
  { drain: { request }, end, isUrgent, progress }: FinishedDrain & { readonly progress: Progress },
  { TCP, UDP, expiresConnections }: DecideInput['lookUps'],
): boolean {
  const { protocol } = request.virtualServer;
  if (protocol === 'UDP') return UDP && end !== 'atOnce' && !isUrgent;
  if (protocol !== 'TCP' || !TCP || end === 'empty') return false;
  const { activeConnections, inactiveConnections } = progress.reading ?? unread;
  return activeConnections + (expiresConnections ? 0 : inactiveConnections) > 0;
}

/** The counters that are assumed for a real server that was not read: it may have connections. */
const unread = { activeConnections: 1, inactiveConnections: 0 };

function deletionOf({
  drain: { request },
  end: reason,
  cleanup,
}: FinishedDrain & { readonly cleanup?: Cleanup }): Deletion {
  const { virtualServer, realServer } = request;
  const deletion = { kind: 'deleteRealServer', virtualServer, realServer, reason } as const;
  return cleanup === undefined ? deletion : { ...deletion, cleanup };
}

/** The request for the look-up of a drain that is over. */
export function leavingOf({ drain: { request, progress } }: FinishedDrain): Leaving {
  return { ...request, connections: progress.reading?.activeConnections };
}
