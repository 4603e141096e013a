import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ProxierSettings } from '../../pkg/proxy/options.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { FakeSysctl } from '../../pkg/sysctl/fake.ts';
import { net } from '../support/addresses.ts';
import { Stand } from '../support/proxier.ts';
import { preparedSettings } from '../support/settings.ts';
import { aStory } from './stories.ts';
import { sharedKernel, TroubledNode } from './troubled-node.ts';

// The whole proxier on a kernel that fails, with other hands in it, with changes all the while, killed now and then; the reporter,
// the log and the making of footprints throw. When that is over, it must be as if nothing had been.
//
// The gate runs the same few stories each time. To hunt, name a number of stories, which then are others each time:
//
//     TEST_FAULTS_RUNS=2000 hack/run vitest run --config hack/vitest.config.ts --project unit test/properties/faults.test.ts
//
// A failure prints its seed and path. TEST_FAULTS_SEED and TEST_FAULTS_PATH repeat it, and look for a shorter story with the same end.

const wantedRuns = process.env['TEST_FAULTS_RUNS'];
const givenSeed = process.env['TEST_FAULTS_SEED'];
const path = process.env['TEST_FAULTS_PATH'];
const isHunt = wantedRuns !== undefined;
const numRuns = isHunt ? Number(wantedRuns) : 20;
const seed = givenSeed === undefined ? (isHunt ? Date.now() % 2 ** 31 : 1) : Number(givenSeed);
const parameters: fc.Parameters<unknown> = {
  numRuns,
  seed,
  ...(path === undefined ? { endOnFailure: true } : { path }),
};
const timeout = isHunt || path !== undefined ? minutes(60) : minutes(2);

/** How the settings of the kernel must be. */
const sysctls = new FakeSysctl({ values: preparedSettings }).dump();

/** Rejections that nobody handles would end the program. */
const unhandled: unknown[] = [];
let listeners: readonly NodeJS.UnhandledRejectionListener[] = [];
const collect = (reason: unknown) => void unhandled.push(reason);

beforeEach(() => {
  // Pauses are jittered: with it, each story would go another way each time.
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  unhandled.length = 0;
  listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', collect);
});

afterEach(() => {
  vi.restoreAllMocks();
  process.removeAllListeners('unhandledRejection');
  for (const listener of listeners) process.on('unhandledRejection', listener);
});

/** Longer than any pause between two retries, and time for the audits that follow. */
const patience = minutes(20);

/** How VIPs are local. Of the stories half are told with addresses, half with routes. */
const bindings = [
  { mode: 'address', ranges: [], podNetworks: [] },
  { mode: 'route', ranges: [net('fd00:172:30::/112')], podNetworks: [] },
] as const;

test('whatever fails, the kernel ends at the wanted state, and nothing is said of an object for one cause twice within a minute', {
  timeout,
}, async () => {
  await fc.assert(
    fc.asyncProperty(aStory, async (story) => {
      const vipBinding = bindings[story.seed % 2] ?? bindings[0];
      const settings = { vipBinding };
      const troubled = new TroubledNode(story, { settings });
      await troubled.live(story);
      await troubled.calm();
      const expected = await untroubled(troubled, settings);
      const { node } = troubled;
      const isAsItShould = () => node.kernel.dump() === expected && node.sysctl.dump() === sysctls;
      for (let waited = 0; waited < patience; waited += seconds(10)) {
        await troubled.calm();
        await node.stand.settle(seconds(10));
        const isDone = node.hasSynced && node.stand.proxier.graceful.size === 0;
        if (isDone && isAsItShould()) break;
      }
      const wanted = { kernel: expected, settings: sysctls, draining: 0, unhandled: [] };
      expect(stateOf(troubled)).toEqual(wanted);
      // What failed at last may still be tried once more.
      await node.stand.settle(minutes(2));
      expect(await restlessness(troubled)).toEqual({ writes: 0, lines: 0 });
      expect(stateOf(troubled)).toEqual(wanted);
      const repetitions = node.watch.repetitions.filter(({ line }) => !isNews(line));
      expect(repetitions.slice(0, 5)).toEqual([]);
      await node.stop();
    }),
    parameters,
  );
});

test('the stories come to every call that the proxier makes', { timeout }, async () => {
  const asked = new Set<string>();
  for (const story of fc.sample(aStory, { seed: 1, numRuns: 20 })) {
    // Nothing strikes: what is asked for comes far.
    const vipBinding = bindings[story.seed % 2] ?? bindings[0];
    const troubled = new TroubledNode({ ...story, percent: 0 }, { settings: { vipBinding } });
    await troubled.live(story);
    for (const call of troubled.callsMet) asked.add(call);
    await troubled.node.kill();
  }
  expect(calls.filter((call) => !asked.has(call))).toEqual([]);
});

const calls = [
  ...['add', 'update', 'delete'].flatMap((how) => [
    `ipvs.write ${how}VirtualServer`,
    `ipvs.write ${how}RealServer`,
  ]),
  ...['ipsets.write addEntry', 'ipsets.write deleteEntry'],
  ...['links.write bindAddress', 'links.write unbindAddress'],
  ...['ipvs.write', 'ipsets.write', 'links.write'],
  ...['ipvs.virtualServers', 'ipvs.virtualServer', 'ipvs.realServers'],
  ...['ipsets.create', 'ipsets.sets', 'ipsets.entries'],
  ...['links.hasLink', 'links.addresses', 'links.ensureDummy'],
  ...['routes.routes', 'routes.write', 'routes.write addRoute', 'routes.write deleteRoute'],
  ...['firewall.apply', 'firewall.check', 'conntrack.dump', 'conntrack.delete'],
  ...['neighbours.canReach', 'resetter.challenge'],
];

/** A conflict is said each time that it begins, and each time about as many virtual servers as there are. */
function isNews(line: string): boolean {
  return line.startsWith('error two Services want one virtual server');
}

/** What a node holds that was never in trouble and has the same objects and addresses. */
async function untroubled(
  { objects, hasOtherAddress }: TroubledNode,
  settings: Partial<ProxierSettings>,
): Promise<string> {
  const kernel = sharedKernel({ hasOtherAddress });
  const stand = new Stand({ kernel, ...settings });
  stand.report(...objects);
  await stand.sync();
  await stand.settle(seconds(70));
  await stand.stop();
  return kernel.dump();
}

function stateOf({ node }: TroubledNode) {
  return {
    kernel: node.kernel.dump(),
    settings: node.sysctl.dump(),
    draining: node.stand.proxier.graceful.size,
    unhandled: [...unhandled],
  };
}

/** What still goes on in five minutes. */
async function restlessness({ node }: TroubledNode): Promise<{ writes: number; lines: number }> {
  const before = writesOf(node.kernel);
  const { unasked } = node.watch;
  await node.stand.settle(minutes(5));
  return { writes: writesOf(node.kernel) - before, lines: node.watch.unasked - unasked };
}

function writesOf({
  ipvs,
  ipsets,
  links,
  routes,
  firewall,
}: ReturnType<typeof sharedKernel>): number {
  const { applies } = firewall;
  const addresses = links.calls.write + routes.calls.write;
  return ipvs.calls.write + ipsets.calls.write + addresses + applies.IPv4 + applies.IPv6;
}
