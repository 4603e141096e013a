import { afterEach, expect, test } from 'vitest';
import { seconds } from '../../pkg/runner/clock.ts';
import { connect, one, start, stopStands, terminating } from '../support/draining.ts';
import { slice } from '../support/objects.ts';
import { setSlice } from '../support/proxier.ts';

// A deletion at the end of a drain is an operation like every other.

afterEach(stopStands);

test('it is in the log with its reason, and counted', async () => {
  const stand = await start({ drains: { mode: 'pod', timeout: seconds(60) } });
  connect(stand);
  stand.tell(setSlice(slice([one, { ...terminating, serving: false }])));
  await stand.settle(seconds(61));
  const line = 'info applied {"operation":"-rs 172.30.0.1:80/TCP 10.0.0.2:8080 deadline"}';
  expect(stand.log.lines()).toContain(line);
  expect(stand.reports.operationCounts.get('deleteRealServer')).toEqual({ done: 1, failed: 0 });
});

test('one that fails is counted, logged and tried again', async () => {
  const stand = await start();
  stand.kernel.ipvs.fail = ({ kind }) => (kind === 'deleteRealServer' ? 'EBUSY' : undefined);
  stand.tell(setSlice(slice([one, terminating])));
  await stand.settle(seconds(1));
  const failed = stand.reports.operationCounts.get('deleteRealServer')?.failed ?? 0;
  expect(failed).toBeGreaterThan(0);
  expect(stand.log.lines().join('\n')).toMatch(/operation failed.*EBUSY.*-rs 172.30.0.1:80/);
  stand.kernel.ipvs.fail = undefined;
  await stand.settle(seconds(30));
  expect(stand.reports.operationCounts.get('deleteRealServer')?.done).toBe(1);
});
