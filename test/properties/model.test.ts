import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { ip } from '../support/addresses.ts';
import { type FakeKernel, Stand } from '../support/proxier.ts';
import { compared, expectedState } from './expected-state.ts';
import { aStep, ModelWorld, type Step } from './model-steps.ts';

// Random sequences of changes lead the proxier, which works out differences, to the state that is computed from the objects alone.

const judgedBy = { scheduler: 'rr', hasScheduler: () => true };
const serviceOptionsOf = ({ annotations }: Service) =>
  parseServiceAnnotations(annotations, judgedBy);

/** What the fake kernel has on its own devices. */
const own = [ip('192.168.0.10'), ip('fd00:192:168::10')];

/** Long enough for vanished endpoints, drains of idle servers and retired front ends. */
const longEnough = 70_000;

function take({ tell, kernel }: Pick<Stand, 'kernel'> & { tell: Stand['tell'] }, step: Step): void {
  if (step.kind === 'change') tell(step.change);
  else if (step.isPresent) {
    const prefixLength = step.address.includes(':') ? 64 : 24;
    kernel.links.addAddress({ link: 'eth0', address: step.address, prefixLength });
  } else kernel.links.removeAddress({ link: 'eth0', address: step.address });
}

function stateOf({ ipvs, links, ipsets, firewall }: FakeKernel): readonly string[] {
  const [, device = ''] = /^kube-ipvs0 dummy\n((?:  .*\n?)*)/m.exec(links.dump()) ?? [];
  return compared({
    servers: ipvs.dump(),
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
    fc.asyncProperty(fc.array(fc.tuple(aStep, pauses), { maxLength: 40 }), async (steps) => {
      const stand = new Stand({ serviceOptionsOf });
      const model = new ModelWorld(own);
      const tell = stand.tell.bind(stand);
      await stand.sync();
      for (const [step, pause] of steps) {
        take({ tell, kernel: stand.kernel }, step);
        model.take(step);
        await stand.settle(pause);
      }
      await stand.settle(longEnough);
      const held = stateOf(stand.kernel);
      const expected = expectedState(model.world);
      await stand.stop();
      expect(held).toEqual(expected);
    }),
    { numRuns: 120 },
  );
});
