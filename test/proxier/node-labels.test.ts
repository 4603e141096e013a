import { afterEach, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { endpoint, node, service, slice } from '../support/objects.ts';
import { Stand, setNode, setService, setSlice } from '../support/proxier.ts';

// Topology and readiness, as real servers.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

async function start(...endpoints: readonly Endpoint[]) {
  const stand = new Stand({ syncPeriod: minutes(60) });
  stands.push(stand);
  stand.report(setNode(node({ zone: 'a' })), setService(service()), setSlice(slice(endpoints)));
  await stand.sync();
  /** Who takes new connections. */
  const serving = () =>
    [...stand.kernel.ipvs.dump().matchAll(/-r 10\.0\.0\.(\d+):8080 .*-w 1/g)]
      .map(([, last = '']) => last)
      .sort();
  return { stand, serving };
}

test('a change of the node’s zone acts at once', async () => {
  const zones = ['a', 'b', 'c'];
  const { stand, serving } = await start(
    ...zones.map((zone, index) => endpoint(`10.0.0.${index}`, { zoneHints: [zone] })),
  );
  expect(serving()).toEqual(['0']);
  for (const [zone, expected] of [
    ['b', ['1']],
    ['', ['0', '1', '2']],
    ['elsewhere', ['0', '1', '2']],
    ['c', ['2']],
  ] as const) {
    stand.report(setNode(node({ zone })));
    await stand.settle();
    expect(serving(), zone).toEqual(expected);
  }
});

test('a Node that is deleted changes nothing', async () => {
  const { stand } = await start(
    endpoint('10.0.0.1', { zoneHints: ['a'] }),
    endpoint('10.0.0.2', { zoneHints: ['b'] }),
  );
  const before = stand.kernel.dump();
  stand.report({ type: 'delete', kind: 'Node', name: { namespace: '', name: 'here' } });
  await stand.settle(seconds(1));
  expect(stand.kernel.dump()).toBe(before);
});

describe('an endpoint', () => {
  const yes = [true, false];
  const all = yes.flatMap((ready) =>
    yes.flatMap((serving) => yes.map((terminating) => ({ ready, serving, terminating }))),
  );

  test.each(all)(
    'that is ready $ready, serving $serving, terminating $terminating',
    async (conditions) => {
      const { ready, serving: serves, terminating } = conditions;
      const alone = await start(endpoint('10.0.0.1', conditions));
      const isFallback = !ready && serves && terminating;
      // With publishNotReadyAddresses one is ready whatever its pod says.
      expect(alone.serving()).toEqual(ready || isFallback ? ['1'] : []);
      const beside = await start(endpoint('10.0.0.1', conditions), endpoint('10.0.0.2'));
      expect(beside.serving()).toEqual(ready ? ['1', '2'] : ['2']);
    },
  );
});
