import { describe, expect, test } from 'vitest';
import { ip, net } from '../../../test/support/addresses.ts';
import {
  needed,
  plannedVirtualServer,
  right,
  rules,
  vip,
} from '../../../test/support/plan-input.ts';
import type { RouteState, VipState } from '../observed/vip-state.ts';
import { inSingles } from './add-real-servers.ts';
import type { PlanInput, PlannedRange } from './input.ts';
import { printOperation } from './operation.ts';
import { plan } from './plan.ts';

// VIPs that are local by routes, and those that move from addresses to routes and back.

const source = ip('192.168.0.10');
const own = net('172.30.0.1/32');
const network = net('172.30.0.0/16');
const closedRanges = new Map([['172.30.0.0/16', network]]);
const closed = { ...needed, closedRanges };

function route(over: Partial<RouteState> = {}): RouteState {
  const wanted = { network: own, source };
  return { network: own, wanted, isHeld: false, isRight: false, ...over };
}
const rightRoute = route({ isHeld: true, isRight: true });
const unwantedRoute = route({ wanted: undefined, isHeld: true });

/** A VIP that is not on the device, and need not be. */
function one(over: Partial<VipState> = {}): VipState {
  return { address: vip, isWanted: false, isHeld: false, ...over };
}

function range(over: Partial<PlannedRange> = {}): PlannedRange {
  const wanted = { network, source };
  return { network, wanted, isHeld: false, isRight: false, isNeeded: true, ...over };
}

/** The operations, then what waits for rules and what is planned again after them. */
function planned(over: Partial<PlanInput>): readonly string[] {
  const { operations, waiting, unmarked } = plan({ ...right, ...over });
  return [
    ...inSingles(operations).map(printOperation),
    ...[...waiting.addresses, ...waiting.ranges].map((key) => `${key} waits for rules`),
    ...[...unmarked.addresses].map((address) => `${address} is planned again`),
  ];
}

const pending = { isPending: true } as const;
const added = '+route 172.30.0.1/32 src 192.168.0.10';

describe('a VIP', () => {
  test.each<readonly [string, VipState, readonly string[]]>([
    ['gets a route of its own', one({ route: route(), ...pending }), [added]],
    ['whose route is right is left alone', one({ route: rightRoute }), []],
    [
      'whose route has another source gets the right one',
      one({ route: route({ isHeld: true }), ...pending }),
      [added],
    ],
    [
      'whose route is unknown gets it again',
      one({ route: route({ isHeld: undefined }), ...pending }),
      [added],
    ],
    [
      'keeps its address until its route stands',
      one({ isHeld: true, route: route(), ...pending }),
      [added, '172.30.0.1 is planned again'],
    ],
    [
      'loses its address when its route stands',
      one({ isHeld: true, route: rightRoute }),
      ['-address 172.30.0.1'],
    ],
    ['keeps its address until its range has a route', one({ isHeld: true, ...pending }), []],
    [
      'loses its address and its route when its range has one',
      one({ isHeld: true, route: unwantedRoute }),
      ['-address 172.30.0.1', '-route 172.30.0.1/32'],
    ],
    [
      'keeps its route until it is on the device',
      one({ isWanted: true, route: unwantedRoute, ...pending }),
      ['+address 172.30.0.1', '172.30.0.1 is planned again'],
    ],
    [
      'loses its route when it is on the device',
      one({ isWanted: true, isHeld: true, route: unwantedRoute }),
      ['-route 172.30.0.1/32'],
    ],
    [
      'that nobody wants any more loses its route, even if it is unknown',
      one({ route: route({ wanted: undefined, isHeld: undefined }) }),
      ['-route 172.30.0.1/32'],
    ],
  ])('%s', (_, state, expected) => {
    expect(planned({ addresses: [state] })).toEqual(expected);
  });

  test('of a family that is not served keeps what it has', () => {
    const address = ip('fd00::1');
    const held = { wanted: undefined, isHeld: true, isRight: false, network: net('fd00::1/128') };
    expect(planned({ addresses: [one({ address, isHeld: true, route: held })] })).toEqual([]);
  });

  test('gets its route after its virtual server, and waits for rules as that does', () => {
    const addresses = [one({ route: route(), ...pending })];
    const virtualServers = [plannedVirtualServer({ isNew: true })];
    expect(planned({ addresses, virtualServers })).toEqual([
      '+vs 172.30.0.1:80/TCP rr',
      added,
      '-flows 172.30.0.1:80/TCP',
    ]);
    const unwritten = planned({ addresses, virtualServers, rules: rules(undefined) });
    expect(unwritten).toEqual([expect.stringMatching(/^=rules/), '172.30.0.1 waits for rules']);
  });
});

describe('a range', () => {
  const writtenClosed = rules({ written: closed }, { needed: closed });
  const addedRange = '+route 172.30.0.0/16 src 192.168.0.10';
  test.each<readonly [string, Partial<PlanInput>, readonly string[]]>([
    ['gets a route', { ranges: [range()], rules: writtenClosed }, [addedRange]],
    [
      'whose route is right is left alone',
      { ranges: [range({ isHeld: true, isRight: true })], rules: writtenClosed },
      [],
    ],
    [
      'waits for the rule that closes it',
      { ranges: [range()], rules: rules({}, { needed: closed }) },
      ['=rules IPv4 clusterIp ipvsIps 172.30.0.0/16', '172.30.0.0/16 waits for rules'],
    ],
    [
      'waits while a write that takes the rule out is under way',
      { ranges: [range()], rules: rules({ written: closed, writing: needed }, { needed: closed }) },
      ['172.30.0.0/16 waits for rules'],
    ],
    [
      'does not wait for a rule that cannot be written',
      {
        ranges: [range()],
        rules: rules({ requested: closed, isFailing: true }, { needed: closed }),
      },
      [addedRange],
    ],
    [
      'that is held has its source changed without a wait',
      {
        ranges: [range({ isHeld: true })],
        rules: rules({ requested: closed }, { needed: closed }),
      },
      [addedRange],
    ],
    [
      'that is not wanted stays while a VIP in it is not local by other means',
      { ranges: [range({ wanted: undefined, isHeld: true })], rules: writtenClosed },
      [],
    ],
    [
      'that is not wanted goes when none needs it',
      {
        ranges: [range({ wanted: undefined, isHeld: true, isNeeded: false })],
        rules: writtenClosed,
      },
      ['-route 172.30.0.0/16'],
    ],
    [
      'that has no route any more loses the rule',
      { rules: rules({ written: closed }) },
      ['=rules IPv4 clusterIp ipvsIps'],
    ],
  ])('%s', (_, input, expected) => {
    expect(planned(input)).toEqual(expected);
  });

  test('gets its route after everything that it makes reachable', () => {
    const virtualServers = [plannedVirtualServer({ isNew: true })];
    expect(planned({ ranges: [range()], rules: writtenClosed, virtualServers })).toEqual([
      '+vs 172.30.0.1:80/TCP rr',
      addedRange,
      '-flows 172.30.0.1:80/TCP',
    ]);
  });
});
