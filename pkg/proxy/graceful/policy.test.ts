import { describe, expect, test } from 'vitest';
import {
  allowance,
  beginning,
  type DrainConditions,
  deadlineOf,
  ending,
  nextInterval,
  observe,
  type Progress,
} from './policy.ts';

const usual: DrainConditions = {
  mode: 'pod',
  protocol: 'TCP',
  scheduler: 'rr',
  cause: 'endpoint',
  pod: 'alive',
  timeout: 900_000,
  isExposed: false,
  isAddressGone: false,
};
const forever = Number.POSITIVE_INFINITY;

describe('what a real server is allowed that is no longer wanted', () => {
  test.each<[string, Partial<DrainConditions>, number, string]>([
    ['an endpoint that lives drains without a limit', {}, forever, 'deadline'],
    ['so does SCTP', { protocol: 'SCTP' }, forever, 'deadline'],
    ['UDP of an endpoint that lives: two seconds', { protocol: 'UDP' }, 2_000, 'empty'],
    [
      'one that terminates and does not serve: the drain timeout',
      { pod: 'dying' },
      900_000,
      'deadline',
    ],
    ['the same without a timeout', { pod: 'dying', timeout: 0 }, forever, 'deadline'],
    [
      'UDP of one that terminates: a quarter of a second',
      { pod: 'dying', protocol: 'UDP' },
      250,
      'empty',
    ],
    ['a pod that is gone: nothing', { pod: 'gone' }, 0, 'podGone'],
    ['UDP of a pod that is gone: nothing', { pod: 'gone', protocol: 'UDP' }, 0, 'podGone'],
    ['a pod that left while it was well: the drain timeout', { pod: 'left' }, 900_000, 'deadline'],
    [
      'UDP of a pod that left: a quarter of a second',
      { pod: 'left', protocol: 'UDP' },
      250,
      'empty',
    ],
    [
      'a virtual server that goes: the drain timeout',
      { cause: 'virtualServer' },
      900_000,
      'deadline',
    ],
    [
      'one that clients outside use: a minute at most',
      { cause: 'virtualServer', isExposed: true },
      60_000,
      'deadline',
    ],
    [
      'less if the timeout is less',
      { cause: 'virtualServer', isExposed: true, timeout: 5_000 },
      5_000,
      'deadline',
    ],
    [
      'a minute although there is no timeout',
      { cause: 'virtualServer', isExposed: true, timeout: 0 },
      60_000,
      'deadline',
    ],
    [
      'UDP of a virtual server that goes: nothing',
      { cause: 'virtualServer', protocol: 'UDP' },
      0,
      'atOnce',
    ],
    [
      'a pod that is gone, of a virtual server that goes: nothing',
      { cause: 'virtualServer', pod: 'gone' },
      0,
      'podGone',
    ],
    [
      'one found at start that no slice names: half a minute',
      { pod: 'unseen' },
      30_000,
      'deadline',
    ],
    ['UDP found at start: nothing', { pod: 'unseen', protocol: 'UDP' }, 0, 'atOnce'],
    [
      'a virtual server whose address left the node: nothing',
      { cause: 'virtualServer', isAddressGone: true },
      0,
      'atOnce',
    ],
    ['dh cannot pass over it: nothing', { scheduler: 'dh' }, 0, 'atOnce'],
    [
      'upstream waits for TCP whatever the pod does',
      { mode: 'connections', pod: 'gone' },
      forever,
      'deadline',
    ],
    ['upstream waits for nothing but TCP', { mode: 'connections', protocol: 'SCTP' }, 0, 'atOnce'],
    [
      'upstream waits for no virtual server',
      { mode: 'connections', cause: 'virtualServer' },
      0,
      'atOnce',
    ],
  ])('%s', (_, over, limit, end) => {
    const allowed = allowance({ ...usual, ...over });
    expect([deadlineOf(beginning(0), allowed), allowed.end]).toEqual([limit, end]);
  });
});

type Step = readonly [seconds: number, incoming: number, outgoing: number, way?: 'unreachable'];

/** A drain through readings of both packet counters; one connection is open throughout. */
function through(...readings: readonly Step[]): Progress {
  return readings.reduce(
    (progress, [time, incoming, outgoing, way]) =>
      observe(progress, {
        now: time * 1_000,
        canReach: () => way === undefined,
        reading: {
          activeConnections: 1,
          inactiveConnections: 0,
          incomingPackets: BigInt(incoming),
          outgoingPackets: BigInt(outgoing),
        },
      }),
    beginning(0),
  );
}

describe('a drain is over', () => {
  const limited = allowance({ ...usual, pod: 'dying', timeout: 100_000 });
  const free = allowance(usual);

  test('when no connection is left, active or closing', () => {
    const reading = {
      activeConnections: 0,
      inactiveConnections: 1,
      incomingPackets: 0n,
      outgoingPackets: 0n,
    };
    const canReach = () => true;
    const closing = observe(beginning(0), { reading, now: 1_000, canReach });
    expect(ending(closing, { allowed: free, mode: 'pod', now: 1_000 })).toBeUndefined();
    const none = { ...reading, inactiveConnections: 0 };
    const empty = observe(closing, { reading: none, now: 2_000, canReach });
    expect(ending(empty, { allowed: free, mode: 'pod', now: 2_000 })).toBe('empty');
  });

  test('at the deadline, which counts from the last answer', () => {
    const progress = through([1, 1, 1], [50, 2, 2]);
    expect(ending(progress, { allowed: limited, mode: 'pod', now: 149_000 })).toBeUndefined();
    expect(ending(progress, { allowed: limited, mode: 'pod', now: 150_000 })).toBe('deadline');
  });

  test('after a minute in which packets came and none was answered', () => {
    const progress = through(
      [1, 1, 1],
      [2, 2, 1],
      [4, 3, 1],
      [8, 4, 1],
      [16, 5, 1],
      [32, 6, 1],
      [52, 7, 1],
    );
    expect(ending(progress, { allowed: free, mode: 'pod', now: 61_000 })).toBeUndefined();
    expect(ending(progress, { allowed: free, mode: 'pod', now: 62_000 })).toBe('unanswered');
    expect(ending(progress, { allowed: free, mode: 'connections', now: 62_000 })).toBeUndefined();
  });

  test('after a minute in which only the node answered, because it cannot reach the real server', () => {
    const lost = [2, 4, 8, 16, 32, 52].map(
      (time, index): Step => [time, index + 2, index + 2, 'unreachable'],
    );
    const progress = through([1, 1, 1], ...lost);
    expect(ending(progress, { allowed: free, mode: 'pod', now: 61_000 })).toBeUndefined();
    expect(ending(progress, { allowed: free, mode: 'pod', now: 62_000 })).toBe('unanswered');
    const back = through([1, 1, 1], ...lost, [60, 9, 9]);
    expect(ending(back, { allowed: free, mode: 'pod', now: 62_000 })).toBeUndefined();
  });

  test('not because of a last packet that needs no answer', () => {
    const progress = through([1, 1, 1], [2, 2, 1], [4, 2, 1], [120, 2, 1]);
    expect(ending(progress, { allowed: free, mode: 'pod', now: 120_000 })).toBeUndefined();
  });

  test('not while it answers', () => {
    const progress = through([1, 1, 1], [2, 2, 1], [30, 3, 1], [50, 4, 1], [51, 5, 2]);
    expect(ending(progress, { allowed: free, mode: 'pod', now: 120_000 })).toBeUndefined();
  });
});

describe('the check interval', () => {
  const looks = (over: Partial<Parameters<typeof nextInterval>[1]>, count = 9) => {
    const times = [0];
    for (let age = 0; times.length < count; times.push(age / 1_000))
      age += nextInterval(age, { mode: 'pod', isClosing: false, ...over });
    return times;
  };

  test('grows from one second to sixty', () => {
    expect(looks({})).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 124]);
  });
  test('is not above five while connections only close', () => {
    expect(looks({ isClosing: true }, 7)).toEqual([0, 1, 2, 4, 8, 13, 18]);
  });
  test('is a fifteenth of the deadline at most', () => {
    expect(looks({ limit: 900_000 }, 9)).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 124]);
    expect(looks({ limit: 90_000 }, 7)).toEqual([0, 1, 2, 4, 8, 14, 20]);
    expect(looks({ limit: 4_000 }, 5)).toEqual([0, 1, 2, 3, 4]);
  });
  test("is upstream's minute if its rules are asked for", () => {
    expect(nextInterval(0, { mode: 'connections', isClosing: true })).toBe(60_000);
  });
});
