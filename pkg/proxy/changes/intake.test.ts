import { expect, test } from 'vitest';
import { service, slice } from '../../../test/support/objects.ts';
import { recordingReporter, setService, setSlice } from '../../../test/support/proxier.ts';
import type { Change } from '../../kube/types.ts';
import { recordingLogger } from '../../log/memory.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { Intake } from './intake.ts';
import { Store } from './store.ts';

class FaultyStore extends Store {
  isFaulty = true;

  override apply(change: Change): void {
    if (this.isFaulty) throw new Error('a fault');
    super.apply(change);
  }
}

function stand() {
  const clock = manualClock();
  const store = new FaultyStore(() => clock.now());
  const log = recordingLogger();
  const reporter = recordingReporter();
  const intake = new Intake({
    store,
    clock,
    log,
    reporter,
    nodeName: 'here',
    onDirty: () => undefined,
  });
  return { clock, store, log, reporter, intake };
}

test('a change that the store cannot take is said once and tried again until it can', async () => {
  const { clock, store, log, intake } = stand();
  intake.take(setService(service()));
  await clock.advance(5_000);
  expect(log.lines()).toEqual([
    'error could not take a change in: a fault {"kind":"Service","object":"shop/web"}',
  ]);
  store.isFaulty = false;
  await clock.advance(1_000);
  expect(store.serviceCount).toBe(1);
  expect(clock.pending()).toBe(0);
});

test('a later change of the same object takes its place', async () => {
  const { clock, store, intake } = stand();
  intake.take(setService(service()));
  store.isFaulty = false;
  intake.take({ type: 'delete', kind: 'Service', name: { namespace: 'shop', name: 'web' } });
  await clock.advance(5_000);
  expect(store.serviceCount).toBe(0);
});

test('the owner of a Service hears what is wrong with it and with its slices', () => {
  const { store, reporter, intake } = stand();
  store.isFaulty = false;
  const problems = [{ field: 'f', message: 'is wrong' }];
  const changes = [setService(service()), setSlice(slice([]))].map((change) => ({
    ...change,
    problems,
  }));
  for (const change of [...changes, ...changes]) intake.take(change);
  const stranger = { ...setSlice(slice([], { serviceName: 'nobody', name: 'x' })), problems };
  intake.take(stranger);
  expect(reporter.invalid).toEqual([
    'web: Service web: is wrong',
    'web: EndpointSlice web-1: is wrong',
  ]);
});
