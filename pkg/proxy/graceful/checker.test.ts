import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { FakeIpvs } from '../../ipvs/fake.ts';
import { recordingLogger } from '../../log/memory.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { Mutex } from '../../runner/mutex.ts';
import { anyPod } from '../desired/pod-identity.ts';
import { masqueraded } from '../desired/real-servers.ts';
import { FlowEndsMap } from '../flows/flow-ends.ts';
import { type Cleanup, noCleanup } from '../plan/cleanup.ts';
import { DrainChecker } from './checker.ts';
import { detached } from './context.ts';
import { DrainList } from './list.ts';
import { plainApply } from './plain-apply.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const realServer = masqueraded({ address: ip('10.0.0.1'), port: 8080, weight: 0 });

test('a real server is deleted although its look-up ends while the mutex under which it began is held', async () => {
  const ipvs = new FakeIpvs();
  const mutex = new Mutex();
  const log = recordingLogger();
  const parameters = { scheduler: 'rr', flags: 0, timeout: 0, prefixLength: 32 };
  ipvs.write([
    {
      kind: 'addVirtualServer',
      virtualServer: { ...virtualServer, ...parameters, persistenceEngine: '' },
    },
    { kind: 'addRealServer', virtualServer, realServer },
  ]);
  const request = { virtualServer, realServer, podUid: anyPod };
  const found = new FlowEndsMap<Cleanup>();
  found.set(request, noCleanup);
  const find = () => Promise.resolve(found);
  const list = new DrainList();
  const checker = new DrainChecker(list, {
    ipvs,
    apply: plainApply(ipvs),
    mutex,
    clock: manualClock(),
    log,
    mode: 'pod',
    contextOf: () => detached,
    lookUp: { find, findNow: find, isDue: () => false, expiresConnections: true },
    resetsWaitingClients: true,
    onPostponed: () => {},
  });
  const [drain] = list.add(request, 0).drains.values();
  if (drain === undefined) throw new Error('the real server is not on the list');
  await mutex.run(async (token) => {
    await checker.finish([{ drain, end: 'deadline', isUrgent: false }], token);
    await setImmediate();
    // The look-up is over; its result waits for the mutex.
    expect(ipvs.calls.deleteRealServer).toBe(0);
  });
  await mutex.run(() => {});
  const errors = log.lines().filter((line) => line.startsWith('error'));
  expect([list.size, ipvs.calls.deleteRealServer, errors]).toEqual([0, 1, []]);
});
