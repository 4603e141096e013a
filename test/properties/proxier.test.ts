import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change } from '../../pkg/kube/types.ts';
import { FakeKernel, Stand } from '../support/proxier.ts';
import { aChange } from './changes.ts';

/** A change, how long it is until the next one, and how many connections real servers get then, by turns. */
type Step = readonly [change: Change, pause: number, connections: readonly number[]];

const history: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    aChange,
    fc.constantFrom(0, 0, 0, 20, 100, 700, 7_000),
    fc.array(fc.constantFrom(0, 0, 1, 3), { maxLength: 5 }),
  ),
  { maxLength: 25 },
);

/** Long enough for vanished endpoints, retired virtual servers and audits. */
const longEnough = 70_000;

async function incrementally(
  steps: readonly Step[],
  kernel = new FakeKernel({ remembersDeleted: true }),
): Promise<Stand> {
  const stand = new Stand({ kernel });
  await stand.sync();
  for (const [change, pause, connections] of steps) {
    stand.report(change);
    await stand.settle(pause);
    await setConnections(kernel, connections);
  }
  return stand;
}

/** Gives real servers so many connections, by turns; none has any if there are none. */
async function setConnections({ ipvs }: FakeKernel, connections: readonly number[]): Promise<void> {
  let turn = 0;
  for (const virtualServer of await ipvs.virtualServers()) {
    for (const realServer of await ipvs.realServers(virtualServer)) {
      const activeConnections = connections[turn++ % connections.length] ?? 0;
      ipvs.setCounters(virtualServer, realServer, { activeConnections });
    }
  }
}

async function allAtOnce(steps: readonly Step[], kernel = new FakeKernel()): Promise<Stand> {
  const stand = new Stand({ kernel });
  stand.report(...steps.map(([change]) => change));
  await stand.sync();
  await stand.settle(longEnough);
  return stand;
}

test('changes one by one lead to the same kernel as everything at once, and the audit finds nothing to repair', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const one = await incrementally(steps);
      // All connections end: what only drains goes, and what is wanted stays.
      await setConnections(one.kernel, []);
      await one.settle(longEnough);
      const other = await allAtOnce(steps);
      expect(one.kernel.dump()).toBe(other.kernel.dump());
      expect([...one.reports.repairs, ...other.reports.repairs]).toEqual([]);
      expect(
        one.log
          .lines()
          .filter((line) => line.startsWith('error') && !line.includes('two Services')),
      ).toEqual([]);
      await Promise.all([one.stop(), other.stop()]);
    }),
    { numRuns: 60 },
  );
});

test('a program that ends anywhere and starts again ends at the same kernel', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(history, fc.nat(200), async (steps, writes) => {
      const kernel = new FakeKernel();
      let left = writes;
      // From some write on nothing reaches the kernel any more, as if the program had been killed there.
      const isDead = () => (left-- > 0 ? undefined : ('EIO' as const));
      kernel.ipvs.fail = isDead;
      kernel.links.failWith = ({ call }) => (call === 'write' ? isDead() : undefined);
      const first = new Stand({ kernel });
      first.report(...steps.slice(0, steps.length / 2).map(([change]) => change));
      await first.sync();
      await first.stop();
      kernel.ipvs.fail = undefined;
      kernel.links.failWith = () => undefined;

      const again = await allAtOnce(steps, kernel);
      const fresh = await allAtOnce(steps);
      expect(again.kernel.dump()).toBe(fresh.kernel.dump());
      await Promise.all([again.stop(), fresh.stop()]);
    }),
    { numRuns: 40 },
  );
});
