import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { KernelError } from '../../errno/errno.ts';
import { recordingLogger } from '../../log/memory.ts';
import { AbsentResetter } from '../../reset/absent.ts';
import { FakeResetter } from '../../reset/fake.ts';
import { seconds } from '../../runner/clock.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { ClientResetter } from './client-resetter.ts';

test('a conntrack that throws where it should give failures back is no reason not to reset, and ends nothing', async () => {
  const clock = manualClock();
  const conntrack = new FakeConntrack();
  const resetter = new FakeResetter();
  conntrack.add = () => {
    throw new KernelError('add flows', 'ENOBUFS');
  };
  const log = recordingLogger();
  const options = { conntrack, resetter, clock, log, onSent() {}, onFailed() {} };
  const clientResetter = new ClientResetter(options);
  const abort = new AbortController();
  const ended = clientResetter.run(abort.signal);
  for (const sourcePort of [1024, 1025]) {
    clientResetter.reset([{ flow: flowFrom(sourcePort), isTracked: false }]);
    await clock.advance(seconds(1));
  }
  expect(resetter.challenged.map(({ clientPort }) => clientPort)).toEqual([1024, 1025]);
  expect(log.lines()[0]).toContain('could not add flows of clients that are reset');
  abort.abort();
  await ended;
});

test('clients that nothing was sent to count neither as reset nor as failed', async () => {
  const clock = manualClock();
  let skipped = 0;
  const counts: string[] = [];
  const clientResetter = new ClientResetter({
    conntrack: new FakeConntrack(),
    resetter: new AbsentResetter(() => skipped++),
    clock,
    log: recordingLogger(),
    onSent: (count) => counts.push(`sent ${count}`),
    onFailed: (count) => counts.push(`failed ${count}`),
  });
  const abort = new AbortController();
  const ended = clientResetter.run(abort.signal);
  clientResetter.reset([{ flow: flowFrom(1024), isTracked: false }]);
  await clock.advance(seconds(1));
  expect([skipped, counts]).toEqual([1, []]);
  abort.abort();
  await ended;
});

function flowFrom(sourcePort: number): Flow {
  const client = ip('10.0.1.1');
  const virtualServer = ip('172.30.0.1');
  return {
    protocol: 'TCP',
    original: { source: client, sourcePort, destination: virtualServer, destinationPort: 80 },
    reply: {
      source: virtualServer,
      sourcePort: 80,
      destination: client,
      destinationPort: sourcePort,
    },
    zone: 0,
    mark: 0,
    status: 0,
    id: undefined,
    tcpState: 'ESTABLISHED',
  };
}
