import { expect, test } from 'vitest';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { Stand, setService, setSlice } from '../support/proxier.ts';

// Which stages of a sync are told of, and that their number follows the change.

test('a first sync goes through every stage', async () => {
  const stand = new Stand();
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  expect(new Set(stand.reports.stages)).toEqual(
    new Set([
      'desired',
      'observed',
      'plan',
      'apply_other',
      'apply_entries',
      'apply_rules',
      'apply_ipvs',
      'apply_addresses',
    ]),
  );
  await stand.stop();
});

test('a change of an endpoint is entered, planned and written once each, and nothing is reported while nothing happens', async () => {
  const stand = new Stand({ syncPeriod: minutes(1) });
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  await stand.settle(seconds(10));
  const { stages } = stand.reports;
  stages.length = 0;
  await stand.settle(seconds(10));
  expect(stages).toEqual([]);
  stand.report(setSlice(slice([endpoint('10.0.0.1'), endpoint('10.0.0.2')])));
  await stand.settle();
  expect(stages).toEqual(['desired', 'plan', 'apply_ipvs']);
  await stand.stop();
});

test('an audit that finds nothing reads and plans, and writes nothing', async () => {
  const stand = new Stand();
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  const { stages } = stand.reports;
  stages.length = 0;
  await stand.settle(seconds(29));
  // A first sync has compared everything already.
  expect(stages).toEqual([]);
  await stand.settle(seconds(32));
  expect(new Set(stages)).toEqual(new Set(['observed', 'plan']));
  // Once for each of two audits, not for each of their steps.
  expect(stages.filter((stage) => stage === 'plan')).toHaveLength(2);
  await stand.stop();
});

test('rules that cannot be written take their time too', async () => {
  const stand = new Stand();
  stand.kernel.firewall.apply = async () => {
    await new Promise<void>((resolve) => void stand.clock.after(seconds(2), resolve));
    throw new Error('no');
  };
  const took: number[] = [];
  stand.reports.stageTook = (stage, milliseconds) => {
    if (stage === 'apply_rules') took.push(milliseconds);
  };
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  await stand.settle(seconds(2));
  expect(took).toEqual([seconds(2), seconds(2)]);
  await stand.stop();
});
