import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { compared, expectedState } from '../support/model/expected-state.ts';
import { serviceOptionsOf, takeStep } from '../support/model/stand.ts';
import { aStep, ModelWorld } from '../support/model/steps.ts';
import { type FakeKernel, Stand } from '../support/proxier.ts';

// Random sequences of changes lead the proxier, which works out differences, to the state that is computed from the objects alone.

/** What the fake kernel has on its own devices. */
const own = [ip('192.168.0.10'), ip('fd00:192:168::10')];

/** Long enough for vanished endpoints, drains of idle real servers and retired front ends. */
const longEnough = 70_000;

function stateOf({ ipvs, links, ipsets, firewall }: FakeKernel): readonly string[] {
  const [, device = ''] = /^kube-ipvs0 dummy\n((?:  .*\n?)*)/m.exec(links.dump()) ?? [];
  return compared({
    ipvs: ipvs.dump(),
    addresses: device
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `${line.includes(':') ? 'inet6' : 'inet'} ${line.trim()}`),
    sets: ipsets.dump(),
    rules: firewall.dump('IPv4') + firewall.dump('IPv6'),
  });
}

const pauses = fc.constantFrom(0, 0, 0, 30, 700, 7_000);

test('the kernel holds what the objects alone say, whatever the way there', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(aStep, pauses), { minLength: 15, maxLength: 40, size: 'max' }),
      async (steps) => {
        const stand = new Stand({ serviceOptionsOf });
        const model = new ModelWorld(own);
        await stand.sync();
        for (const [step, pause] of steps) {
          takeStep(stand, step);
          model.take(step);
          await stand.settle(pause);
        }
        await stand.settle(longEnough);
        const held = stateOf(stand.kernel);
        const expected = expectedState(model.world);
        await stand.stop();
        expect(held).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
});
