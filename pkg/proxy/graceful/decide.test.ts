import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import type { RealServer, RealServerStatus } from '../../ipvs/ipvs.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import { anyPod } from '../desired/pod-identity.ts';
import { RealServerMap } from '../desired/real-server-map.ts';
import { FlowEndsMap } from '../flows/flow-ends.ts';
import { type Cleanup, noCleanup } from '../plan/cleanup.ts';
import { printOperation } from '../plan/operation.ts';
import { detached } from './context.ts';
import { type DecideInput, type DrainContext, decide } from './decide.ts';
import type { Drain } from './list.ts';
import { beginning, type Progress } from './policy.ts';

// What becomes of one drain, a row for each: input and decision as data.

const address = ip('10.0.0.1');
const realServer: RealServer = {
  address,
  port: 8080,
  weight: 0,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
};

/** What a row is about; times in milliseconds, the drain began at 0. */
interface Row {
  readonly now?: number;
  readonly context?: Partial<DrainContext>;
  readonly progress?: Partial<Progress>;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  /** Active and closing connections, packets that came and went; `gone` if IPVS has no such real server. */
  readonly counters?: readonly [number, number, bigint?, bigint?] | 'gone';
  readonly isUnreachable?: boolean;
  readonly ending?: Drain['ending'];
  readonly isLookedUp?: boolean;
  readonly lookUps?: Partial<DecideInput['lookUps']>;
}

function drainOf({ protocol = 'TCP', progress, ending }: Row): Drain {
  return {
    request: {
      virtualServer: { address: ip('172.30.0.1'), protocol, port: 80 },
      realServer,
      podUid: anyPod,
    },
    progress: { ...beginning(0), ...progress },
    ending,
  };
}

function statusOf([active, closing, incoming = 0n, outgoing = 0n]: readonly [
  number,
  number,
  bigint?,
  bigint?,
]): RealServerStatus {
  return {
    ...realServer,
    activeConnections: active,
    inactiveConnections: closing,
    persistentConnections: 0,
    statistics: {
      connections: 1n,
      incomingPackets: incoming,
      outgoingPackets: outgoing,
      incomingBytes: 0n,
      outgoingBytes: 0n,
    },
  };
}

/** A dump of real servers. */
function statuses(...dumped: readonly RealServerStatus[]): RealServerMap<RealServerStatus> {
  const found = new RealServerMap<RealServerStatus>();
  for (const status of dumped) found.set(status, status);
  return found;
}

/** What is decided: operations, ends without one, look-ups, and when to decide again. */
function decided(row: Row): readonly string[] {
  const drain = drainOf(row);
  const { now = 0, counters, isUnreachable = false, isLookedUp = false } = row;
  const realServers =
    counters === undefined
      ? undefined
      : statuses(...(counters === 'gone' ? [] : [statusOf(counters)]));
  const decision = decide([drain], {
    readings: {
      realServers,
      unreachable: new Set(isUnreachable ? [address] : []),
      cleanups: isLookedUp ? new FlowEndsMap<Cleanup>().set(drain.request, noCleanup) : undefined,
    },
    contexts: new Map([[drain, { ...detached, ...row.context }]]),
    now,
    since: 0,
    mode: 'pod',
    lookUps: { TCP: true, UDP: true, expiresConnections: true, ...row.lookUps },
  });
  return [
    ...[...decision.deletions.keys()].map(printOperation),
    ...decision.ended.map(({ end }) => end),
    ...decision.lookUps.map(({ end, isUrgent }) => `look up ${end}${isUrgent ? ' now' : ''}`),
    ...(decision.due < Number.POSITIVE_INFINITY ? [`again at ${decision.due}`] : []),
  ];
}

const deletion = '-rs 172.30.0.1:80/TCP 10.0.0.1:8080';
const last = { activeConnections: 1, inactiveConnections: 0, incomingPackets: 5n };

describe('a drain', () => {
  test.each<[string, Row, readonly string[]]>([
    ['without connections is over', { counters: [0, 0] }, [`${deletion} empty`]],
    ['with connections goes on', { counters: [1, 0] }, ['again at 1000']],
    [
      'with closing ones is read soon',
      { counters: [0, 1], now: minutes(1), progress: { lastAnswer: minutes(1) } },
      [`again at ${minutes(1) + seconds(5)}`],
    ],
    ['that IPVS does not have is over without an operation', { counters: 'gone' }, ['vanished']],
    [
      'of a real server that is wanted is over without an operation',
      { counters: [1, 0], context: { isWanted: true } },
      ['wanted'],
    ],
    [
      'that nobody has read is looked up when it is over',
      { now: minutes(15) },
      ['look up deadline'],
    ],
    [
      'without active connections is deleted at once',
      { counters: [0, 3], now: minutes(15) },
      [`${deletion} deadline`],
    ],
    [
      'without active connections is looked up where IPVS keeps the closing ones',
      { counters: [0, 3], now: minutes(15), lookUps: { expiresConnections: false } },
      ['look up deadline'],
    ],
    [
      'is deleted without a look-up where clients are not reset',
      { counters: [1, 0], now: minutes(15), lookUps: { TCP: false } },
      [`${deletion} deadline`],
    ],
    [
      'whose pod is gone is over',
      { counters: [1, 0], context: { pod: 'gone' } },
      ['look up podGone'],
    ],
    [
      'in favour of another pod is looked up now',
      { counters: [1, 0], context: { cause: 'successor' } },
      ['look up podGone now'],
    ],
    ['that waits for a look-up is left', { ending: { end: 'podGone', isUrgent: false } }, []],
    [
      'that waits for a look-up, and whose address another pod gets, is looked up now',
      { ending: { end: 'podGone', isUrgent: false }, context: { cause: 'successor' } },
      ['look up podGone now'],
    ],
    [
      'that was looked up is deleted',
      { ending: { end: 'podGone', isUrgent: false }, isLookedUp: true },
      [`${deletion} podGone`],
    ],
    [
      'that was looked up and is wanted again stays',
      {
        ending: { end: 'podGone', isUrgent: false },
        isLookedUp: true,
        context: { isWanted: true },
      },
      ['wanted'],
    ],
    [
      'of UDP whose pod lives goes on for two seconds',
      { protocol: 'UDP', context: { pod: 'alive' } },
      ['again at 2000'],
    ],
    [
      'of UDP whose pod lives is looked up then',
      { protocol: 'UDP', context: { pod: 'alive' }, now: seconds(2) },
      ['look up empty'],
    ],
    [
      'of UDP whose pod left is looked up a quarter of a second later',
      { protocol: 'UDP', now: 250 },
      ['look up empty'],
    ],
    [
      'of UDP whose pod is gone is looked up: clients with a bound socket go elsewhere',
      { protocol: 'UDP', context: { pod: 'gone' } },
      ['look up podGone'],
    ],
    [
      'of UDP whose virtual server goes is deleted: nobody answers its clients',
      { protocol: 'UDP', context: { cause: 'virtualServer' } },
      ['-rs 172.30.0.1:80/UDP 10.0.0.1:8080 atOnce'],
    ],
    [
      'of SCTP is never looked up',
      { protocol: 'SCTP', counters: [1, 0], now: minutes(15) },
      ['-rs 172.30.0.1:80/SCTP 10.0.0.1:8080 deadline'],
    ],
    [
      'that answered since the last reading has the deadline from now',
      {
        counters: [1, 0, 6n, 6n],
        now: minutes(14),
        progress: { reading: { ...last, outgoingPackets: 5n } },
      },
      [`again at ${minutes(15)}`],
    ],
    [
      'that seems to have answered and cannot be reached has its old deadline',
      {
        counters: [1, 0, 6n, 6n],
        now: minutes(15),
        isUnreachable: true,
        progress: { reading: { ...last, outgoingPackets: 5n } },
      },
      ['look up deadline'],
    ],
  ])('%s', (_, row, expected) => {
    expect(decided(row)).toEqual(expected);
  });
});

test('of thousands of drains that are over, 500 end at once, and the others when it is decided again', () => {
  const drains = Array.from({ length: 2_000 }, () => drainOf({}));
  const decision = decide(drains, {
    readings: {
      realServers: statuses(statusOf([0, 0])),
      unreachable: new Set(),
      cleanups: undefined,
    },
    contexts: new Map(drains.map((drain) => [drain, detached])),
    now: 7,
    since: 0,
    mode: 'pod',
    lookUps: { TCP: false, UDP: false, expiresConnections: true },
  });
  expect([decision.deletions.size, decision.due]).toEqual([500, 7]);
});

test('a decision changes nothing', () => {
  const drain = Object.freeze({ ...drainOf({}), progress: Object.freeze(beginning(0)) });
  const contexts = new Map([[drain, Object.freeze(detached)]]);
  const input = {
    readings: {
      realServers: statuses(statusOf([1, 0])),
      unreachable: new Set<never>(),
      cleanups: undefined,
    },
    contexts,
    now: 5,
    since: 0,
    mode: 'pod' as const,
    lookUps: { TCP: true, UDP: true, expiresConnections: true },
  };
  expect(decide([drain], input)).toEqual(decide([drain], input));
});
