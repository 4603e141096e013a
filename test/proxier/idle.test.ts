import { expect, test } from 'vitest';
import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { Stand, setService, setSlice } from '../support/proxier.ts';

/** A clock that time runs away from: each look at it finds it later. */
function hurryingClock(step: number): ManualClock {
  const clock = manualClock();
  let lost = 0;
  const now = () => clock.now() + (lost += step);
  return { ...clock, now };
}

test('the proxier is idle when a Service that takes long to enter is in the kernel, not before', async () => {
  const clock = hurryingClock(150);
  const stand = new Stand({ clock });
  await stand.sync();
  const addresses = Array.from({ length: 5 }, (_, index) => endpoint(`10.0.0.${index + 1}`));
  stand.report(setService(service()), setSlice(slice(addresses)));
  let isIdle = false;
  const idle = stand.proxier.idle().then(() => {
    isIdle = true;
  });
  while (!isIdle) await clock.advance(0);
  await idle;
  const [virtualServer] = await stand.kernel.ipvs.virtualServers();
  const realServers =
    virtualServer === undefined ? [] : await stand.kernel.ipvs.realServers(virtualServer);
  expect(realServers).toHaveLength(addresses.length);
  await stand.stop();
});
