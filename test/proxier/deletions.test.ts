import { afterEach, expect, test } from 'vitest';
import { seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import {
  connect,
  dying,
  one,
  start,
  stopStands,
  terminating,
  two,
  web,
} from '../support/draining.ts';
import { slice } from '../support/objects.ts';
import { setSlice } from '../support/proxier.ts';

// A deletion at the end of a drain is an operation like every other.

afterEach(stopStands);

const deletion = 'info applied {"operation":"-rs 172.30.0.1:80/TCP 10.0.0.2:8080 deadline"}';

test.each([
  { verbosity: 4, what: 'in the log with its reason', lines: [deletion] },
  { verbosity: 3, what: 'not in the log', lines: [] },
])('with -v=$verbosity it is $what, and counted', async ({ verbosity, lines }) => {
  const stand = await start({ drains: { mode: 'pod', timeout: seconds(60) } });
  stand.log.setVerbosity(verbosity);
  connect(stand);
  stand.report(setSlice(slice([one, { ...terminating, serving: false }])));
  await stand.settle(seconds(61));
  expect(stand.log.lines().filter((line) => line.includes('"-rs '))).toEqual(lines);
  expect(stand.reports.operationCounts.get('deleteRealServer')).toEqual({ done: 1, failed: 0 });
});

test('what is done around it is in its line, and counted by step', async () => {
  const stand = await start({ resetsWaitingClients: true });
  connect(stand, { active: 1 });
  const original = { source: ip('10.0.9.9'), destination: web.address, sourcePort: 1024 };
  const reply = { source: two.address, destination: ip('10.0.9.9'), sourcePort: 8080 };
  stand.kernel.conntrack.insert({
    protocol: 'TCP',
    zone: 0,
    mark: 0,
    status: 0,
    tcpState: 'ESTABLISHED',
    original: { ...original, destinationPort: 80 },
    reply: { ...reply, destinationPort: 1024 },
  });
  stand.report(setSlice(slice([one, dying])), setSlice(slice([one])));
  await stand.settle(seconds(30));
  expect(stand.log.lines().join('\n')).toContain(
    '"-rs 172.30.0.1:80/TCP 10.0.0.2:8080 podGone: resets 1 client"',
  );
  expect(stand.reports.operationCounts.get('resetClient')).toEqual({ done: 1, failed: 0 });
});

test('one that fails is counted, logged and tried again', async () => {
  const stand = await start();
  stand.kernel.ipvs.fail = ({ kind }) => (kind === 'deleteRealServer' ? 'EBUSY' : undefined);
  stand.report(setSlice(slice([one, terminating])));
  await stand.settle(seconds(1));
  const failed = stand.reports.operationCounts.get('deleteRealServer')?.failed ?? 0;
  expect(failed).toBeGreaterThan(0);
  expect(stand.log.lines().join('\n')).toMatch(/operation failed.*EBUSY.*-rs 172.30.0.1:80/);
  stand.kernel.ipvs.fail = undefined;
  await stand.settle(seconds(30));
  expect(stand.reports.operationCounts.get('deleteRealServer')?.done).toBe(1);
});
