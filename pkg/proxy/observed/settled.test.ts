import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { owner } from '../../../test/support/objects.ts';
import { virtualServer } from '../../../test/support/plan-input.ts';
import type { RealServer, VirtualServer } from '../../ipvs/ipvs.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { planInputFor } from '../apply/plan-input.ts';
import type { FrontEnd } from '../desired/footprint.ts';
import { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { anyPod, unknownPod } from '../desired/pod-identity.ts';
import { masqueraded, type WantedRealServer } from '../desired/real-servers.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import { plan } from '../plan/plan.ts';
import { Mirror } from './mirror.ts';
import { isSettled } from './settled.ts';

// One virtual server with two real servers, and what the kernel may hold in its place.

const one = { address: ip('10.0.1.1'), port: 8080 };
const other = { address: ip('10.0.1.2'), port: 8080 };
const wanted = virtualServer();
const key = virtualServerKey(wanted);

function wants(over: Partial<WantedRealServer> = {}): WantedRealServer {
  return { ...one, weight: 1, podUid: packUid('pod-1'), ...over };
}
const both = [wants(), wants({ ...other, podUid: packUid('pod-2') })];

function frontEnd(
  realServers: readonly WantedRealServer[] = both,
  { isFallback = false, ...over }: Partial<FrontEnd> & { isFallback?: boolean } = {},
): FrontEnd {
  return {
    owner: owner('shop/web', 1),
    virtualServer: wanted,
    addressKind: 'allocated',
    isBound: true,
    isExposed: false,
    options: { problems: [] },
    policy: 'cluster',
    entries: [],
    ...over,
    realServers: {
      capacity: realServers.length,
      isFallback,
      get: ({ address, port }) =>
        realServers.find((each) => each.address === address && each.port === port),
      values: () => realServers,
      alike: () => undefined,
    },
  };
}

interface Held {
  readonly realServer: RealServer;
  readonly podUid: PodIdentity;
}

function holds(over: Partial<RealServer> = {}, podUid: PodIdentity = packUid('pod-1')): Held {
  return { realServer: { ...masqueraded({ ...one, weight: 1 }), ...over }, podUid };
}
const second = holds(other, packUid('pod-2'));

function mirrorWith(
  realServers: readonly Held[],
  { settings = wanted }: { settings?: VirtualServer } = {},
): Mirror {
  const mirror = new Mirror();
  mirror.recordDevice({ isPresent: true });
  mirror.recordAddress(wanted.address, { isBound: true });
  mirror.recordWrite({ kind: 'addVirtualServer', virtualServer: settings });
  for (const { realServer, podUid } of realServers)
    mirror.recordWrite({ kind: 'addRealServer', virtualServer: settings, realServer }, podUid);
  return mirror;
}

/** How many operations a plan for the virtual server has. */
function planned(wantedNow: FrontEnd | undefined, mirror: Mirror): number {
  const keys = new Keys();
  keys.addVirtualServer(key);
  const ledger = { frontEnd: () => wantedNow } as Partial<Ledger> as Ledger;
  const departures = { drainOf: () => 'none' as const, isResting: () => false, hasResting: false };
  const vipRoutes = {} as VipRoutes; // of no range
  const sources = { ledger, mirror, vipRoutes, departures, families: [], rotation: 0 };
  return plan(planInputFor(keys, sources)).operations.length;
}

function settled(wantedNow: FrontEnd | undefined, mirror: Mirror): boolean {
  return isSettled(wantedNow, mirror.virtualServers.get(key));
}

describe('what needs no plan, whose plan would be empty', () => {
  test.each<[string, FrontEnd, readonly Held[]]>([
    ['all as it is wanted', frontEnd(), [holds(), second]],
    ['in another order', frontEnd(), [second, holds()]],
    ['no real servers', frontEnd([]), []],
    [
      'one that is to get no new connections, and gets none',
      frontEnd([wants({ weight: 0 })]),
      [holds({ weight: 0 })],
    ],
    [
      'one that is to get no new connections, and is not there',
      frontEnd([wants({ weight: 0 })]),
      [],
    ],
    [
      'a limit of connections',
      frontEnd([wants()], { options: { problems: [], connectionLimit: 8 } }),
      [holds({ upperThreshold: 8, lowerThreshold: 6 })],
    ],
    ['any pod is wanted, and one is held', frontEnd([wants({ podUid: anyPod })]), [holds()]],
    [
      'any pod is wanted, and the pod is unknown',
      frontEnd([wants({ podUid: anyPod })]),
      [holds({}, unknownPod)],
    ],
    [
      'the pod of neither is known',
      frontEnd([wants({ podUid: unknownPod })]),
      [holds({}, unknownPod)],
    ],
  ])('%s', (_, wantedNow, held) => {
    const mirror = mirrorWith(held);
    expect([settled(wantedNow, mirror), planned(wantedNow, mirror)]).toEqual([true, 0]);
  });
});

describe('what a plan changes', () => {
  test.each<[string, FrontEnd | undefined, Mirror]>([
    ['nobody wants it', undefined, mirrorWith([])],
    ['it is not held', frontEnd(), new Mirror()],
    ...(
      [
        { scheduler: 'lc' },
        { flags: 1 },
        { timeout: 10 },
        { prefixLength: 24 },
        { persistenceEngine: 'sip' },
      ] as const
    ).map((setting): [string, FrontEnd, Mirror] => [
      JSON.stringify(setting),
      frontEnd(),
      mirrorWith([holds(), second], { settings: virtualServer(setting) }),
    ]),
    ['a real server is missing', frontEnd(), mirrorWith([holds()])],
    ['one is too many', frontEnd([wants()]), mirrorWith([holds(), second])],
    ['weight', frontEnd([wants()]), mirrorWith([holds({ weight: 2 })])],
    ['weight 0', frontEnd([wants()]), mirrorWith([holds({ weight: 0 })])],
    ['forwarding', frontEnd([wants()]), mirrorWith([holds({ forwarding: 'direct' })])],
    ['upper threshold', frontEnd([wants()]), mirrorWith([holds({ upperThreshold: 1 })])],
    ['lower threshold', frontEnd([wants()]), mirrorWith([holds({ lowerThreshold: 1 })])],
    ['the pod is another one', frontEnd([wants()]), mirrorWith([holds({}, packUid('pod-3'))])],
  ])('%s', (_, wantedNow, mirror) => {
    expect([settled(wantedNow, mirror), planned(wantedNow, mirror) > 0]).toEqual([false, true]);
  });
});

describe('what is planned in any case', () => {
  test.each<[string, FrontEnd, Mirror]>([
    ['its pod is still to be learned', frontEnd([wants()]), mirrorWith([holds({}, unknownPod)])],
    [
      'it stands in for local ones',
      frontEnd(both, { isFallback: true }),
      mirrorWith([holds(), second]),
    ],
    [
      'no Service wants it any more',
      frontEnd(both, { owner: undefined }),
      mirrorWith([holds(), second]),
    ],
  ])('%s', (_, wantedNow, mirror) => {
    expect(settled(wantedNow, mirror)).toBe(false);
  });
});
