import { expect, test } from 'vitest';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../../test/support/proxier.ts';

test('a sync reports what caused its changes: since the start, once, in families that are served', async () => {
  const stand = new Stand({ families: ['IPv4'] });
  const startTime = stand.clock.wallClock();
  const triggers = () => stand.reports.syncs.flatMap((sync) => sync.triggers);
  const old = { triggerTime: startTime - 40 * 86_400_000 };
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')], old)));
  await stand.sync();
  expect(triggers()).toEqual([]);

  const time = startTime + 1_000;
  const change = slice([endpoint('10.0.0.2')], { triggerTime: time });
  stand.report(setSlice(change), setSlice(slice([], { ...change, name: 'web-6', family: 'IPv6' })));
  await stand.settle();
  expect(triggers()).toEqual([{ family: 'IPv4', time }]);

  stand.report(setSlice(slice([endpoint('10.0.0.3')], { triggerTime: time })));
  await stand.settle();
  expect(triggers()).toHaveLength(1);
  await stand.stop();
});
