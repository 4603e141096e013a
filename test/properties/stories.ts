import fc from 'fast-check';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import type { Change, Endpoint } from '../../pkg/kube/types.ts';
import { type ForeignDeed, foreignDeeds } from '../support/faults/foreign-hands.ts';
import { remove } from '../support/proxier.ts';
import { aChange, aWholeService, names } from './changes.ts';

/** One thing that happens on a node, and how many milliseconds pass after it. */
export type Trouble = { readonly pause: number } & (
  | { readonly type: 'change'; readonly change: Change }
  | { readonly type: 'deed'; readonly deed: ForeignDeed }
  | { readonly type: 'traffic'; readonly connections: readonly number[] }
  /** The node gets another address, or loses it. */
  | { readonly type: 'address' }
  /** Another program changes a setting of the kernel. */
  | { readonly type: 'setting' }
  | { readonly type: 'restart' }
);

/** What happens, how many of a hundred calls fail meanwhile, and the seed that says which. */
export interface Story {
  readonly percent: number;
  readonly seed: number;
  /** The reporter, the log and the making of footprints throw as often as the kernel fails. */
  readonly hasExceptions: boolean;
  /** The first sync is spared; otherwise it takes its time, and what happens meanwhile is taken in all together. */
  readonly beginsCalm: boolean;
  readonly troubles: readonly Trouble[];
}

/**
 * Deeds that take away what a virtual server is recognised by. Whoever starts after one of them cannot know what is ours: stories
 * have either these or restarts.
 */
const disguises: readonly ForeignDeed[] = [
  'clears a set',
  'destroys a set',
  'unbinds an address',
  'deletes the device',
];

const pause = fc.constantFrom(0, 0, 20, 100, 700, 7_000, 40_000);
const shortPause = fc.constantFrom(0, 20, 100, 700);
const aTraffic = fc.record({
  type: fc.constant('traffic' as const),
  connections: fc.array(fc.constantFrom(0, 0, 1, 3), { maxLength: 5 }),
  pause,
});
const anAddress = fc.record({ type: fc.constant('address' as const), pause });
const aSetting = fc.record({ type: fc.constant('setting' as const), pause });
const aRestart = fc.record({ type: fc.constant('restart' as const), pause });

function changing(change: Change, milliseconds: number): Trouble {
  return { type: 'change', change, pause: milliseconds };
}

function deedOf(deeds: readonly ForeignDeed[]) {
  const type = fc.constant('deed' as const);
  return fc.record({ type, deed: fc.constantFrom(...deeds), pause });
}

/** A Service comes with its endpoints, and goes before it has been there for long. */
const aShortLife = fc
  .tuple(aWholeService, shortPause, pause)
  .map(([changes, life, after]) => [
    ...changes.map((change) => changing(change, 0)),
    { type: 'traffic', connections: [], pause: life } as const,
    ...deletionsOf(changes).map((change) => changing(change, after)),
  ]);

const leavings = ['deleted', 'vanishing', 'dying', 'replaced'] as const;

/** A Service with connections goes, or its pods do, and somebody reaches into its drains. */
const aTroubledDrain = fc
  .record({
    changes: aWholeService,
    leaving: fc.constantFrom(...leavings),
    wait: shortPause,
    deed: deedOf([
      ...(['deletes the draining real servers', 'deletes all virtual servers'] as const),
      ...(['deletes a real server', 'sets a weight'] as const),
    ]),
  })
  .map(({ changes, leaving, wait, deed }): readonly Trouble[] => [
    ...changes.map((change) => changing(change, 100)),
    { type: 'traffic', connections: [1], pause: 0 },
    ...leavingOf(changes, leaving).map((change) => changing(change, wait)),
    { type: 'traffic', connections: [1], pause: 3_000 },
    { type: 'traffic', connections: [1], pause: 1_000 },
    deed,
  ]);

function leavingOf(
  changes: readonly Change[],
  leaving: (typeof leavings)[number],
): readonly Change[] {
  const deletions = deletionsOf(changes);
  switch (leaving) {
    case 'deleted':
      return deletions;
    case 'vanishing':
      return deletions.slice(1);
    case 'dying':
      return [
        ...withEndpoints(changes, { ready: false, serving: false, terminating: true }),
        ...deletions.slice(1),
      ];
    case 'replaced':
      return withEndpoints(changes, { podUid: packUid('successor') });
  }
}

function withEndpoints(changes: readonly Change[], over: Partial<Endpoint>): readonly Change[] {
  return changes.flatMap((change) => {
    if (change.type !== 'set' || change.kind !== 'EndpointSlice') return [];
    const endpoints = change.object.endpoints.map((endpoint) => ({ ...endpoint, ...over }));
    return [{ ...change, object: { ...change.object, endpoints } }];
  });
}

/** What takes objects away again. */
function deletionsOf(changes: readonly Change[]): readonly Change[] {
  return changes.flatMap((change) => {
    if (change.type !== 'set' || change.kind === 'Node') return [];
    return [{ type: 'delete', kind: change.kind, name: change.object }];
  });
}

/** Everything is deleted at once. */
const anEnd = pause.map((milliseconds) => [
  ...names.flatMap((name) => [
    changing(remove('Service', name), 0),
    ...[1, 2].map((number) => changing(remove('EndpointSlice', `${name}-${number}`), 0)),
  ]),
  { type: 'traffic', connections: [], pause: milliseconds } as const,
]);

function troublesWith(some: fc.Arbitrary<Trouble>): fc.Arbitrary<readonly Trouble[]> {
  const single = fc
    .tuple(aChange, pause)
    .map(([change, milliseconds]) => [changing(change, milliseconds)]);
  const act: fc.Arbitrary<readonly Trouble[]> = fc.oneof(
    ...[single, single, single, aShortLife, aTroubledDrain],
    some.map((trouble) => [trouble]),
  );
  const end = fc.option(anEnd, { nil: [] });
  return fc
    .tuple(fc.array(act, { maxLength: 16, size: 'max' }), end)
    .map(([acts, last]) => [...acts.flat(), ...last]);
}

const openDeeds = foreignDeeds.filter((deed) => !disguises.includes(deed));

/** Stories of Services, their drains and their ends. */
export const aStory: fc.Arbitrary<Story> = fc.record({
  percent: fc.integer({ min: 3, max: 60 }),
  seed: fc.nat(),
  hasExceptions: fc.boolean(),
  beginsCalm: fc.constantFrom(true, true, true, false),
  troubles: fc.oneof(
    troublesWith(fc.oneof(aTraffic, anAddress, aSetting, deedOf(foreignDeeds))),
    troublesWith(fc.oneof(aTraffic, anAddress, aSetting, deedOf(openDeeds), aRestart)),
  ),
});
