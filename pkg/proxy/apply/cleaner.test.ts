import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { recordingLogger } from '../../log/memory.ts';
import { AbsentResetter } from '../../reset/absent.ts';
import { FakeResetter } from '../../reset/fake.ts';
import type { Resetter } from '../../reset/reset.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { masqueraded } from '../desired/real-servers.ts';
import type { Operation } from '../plan/operation.ts';
import { Cleaner } from './cleaner.ts';

function cleanerWith(resetter: Resetter) {
  const log = recordingLogger();
  const cleaner = new Cleaner({
    conntrack: new FakeConntrack(),
    resetter,
    clientResetter: { reset: () => undefined },
    clock: manualClock(),
    log,
    onFailed: () => undefined,
    onSkipped: () => undefined,
  });
  return { cleaner, log };
}

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const realServer = masqueraded({ address: ip('10.0.0.1'), port: 8080, weight: 0 });
const clientPorts = [1024, 1025, 1026];

/** The deletion of a real server with three connections that IPVS would keep. */
const deletion: Operation = {
  kind: 'deleteRealServer',
  virtualServer,
  realServer,
  reason: 'deadline',
  cleanup: {
    closing: clientPorts.map((clientPort) => ({
      server: virtualServer.address,
      serverPort: 80,
      client: ip('10.0.1.1'),
      clientPort,
    })),
    clients: { count: 0, waiting: [], missing: 0 },
    flows: [],
  },
};

test('a connection counts as closed once its packet is sent, and as failed if that throws', async () => {
  const resetter = new FakeResetter();
  resetter.failWith = ({ clientPort }) => (clientPort === 1025 ? 'ENETUNREACH' : undefined);
  const { cleaner, log } = cleanerWith(resetter);
  await cleaner.close([deletion]);
  expect(resetter.aborted.map(({ clientPort }) => clientPort)).toEqual([1024, 1026]);
  expect([...cleaner.takeCounts()]).toEqual([['closeConnection', { done: 2, failed: 1 }]]);
  expect(log.lines()).toEqual([expect.stringContaining('could not close a connection')]);
  expect([...cleaner.takeCounts()]).toEqual([]);
});

test('a packet that is left out without the right to send it counts as neither', async () => {
  let skipped = 0;
  const { cleaner, log } = cleanerWith(new AbsentResetter(() => skipped++));
  await cleaner.close([deletion]);
  expect(skipped).toBe(clientPorts.length);
  expect([...cleaner.takeCounts()]).toEqual([]);
  expect(log.lines()).toEqual([]);
});
