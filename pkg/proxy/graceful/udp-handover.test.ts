import { afterEach, beforeEach, expect, test } from 'vitest';
import { translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { type DeletionOptions, Deletions } from '../../../test/support/deletions.ts';
import { printFlow } from '../../conntrack/conntrack.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { DrainRequest } from './list.ts';

const old = '10.0.0.8';
const other = '10.0.0.9';
const request = {
  virtualServer: { address: ip('172.30.0.1'), protocol: 'UDP', port: 53 },
  realServer: {
    address: ip(old),
    port: 5353,
    weight: 0,
    forwarding: 'masquerade',
    upperThreshold: 0,
    lowerThreshold: 0,
  },
  podUid: packUid('old'),
} as const;

let stand: Deletions;
let clock: Deletions['clock'];
let conntrack: Deletions['conntrack'];
/** What happened, in order, with its time. */
let events: string[];

beforeEach(() => {
  stand = new Deletions();
  ({ clock, conntrack, events } = stand);
  conntrack.failWith = (call) => {
    if (call.call === 'dump') stand.note('dump');
    if (call.call === 'delete') stand.note(`forget ${printFlow(call.flow)}`);
    return undefined;
  };
});

afterEach(async () => await stand.stop());

/** Deletes a real server; what ends with the program is not waited for. */
function remove(some: DrainRequest = request, options: DeletionOptions = {}): void {
  stand.delete([some], options).catch(() => undefined);
}

/** A flow through the virtual server. */
function insert(realServer: string, sourcePort: number, masqueradedBy?: string): void {
  const flow = translatedFlow(realServer, { sourcePort });
  const reply = { ...flow.reply, destination: ip(masqueradedBy ?? flow.reply.destination) };
  conntrack.insert({ ...flow, reply, status: 0 });
}

test('the flows of a real server go before it goes, and once more after it', async () => {
  insert(old, 1);
  insert(other, 2);
  remove();
  await clock.advance(100);
  expect(events).toEqual([
    '20 dump',
    '20 forget UDP 10.0.0.7:1 > 172.30.0.1:53',
    '20 cut',
    '20 forget UDP 10.0.0.7:1 > 172.30.0.1:53',
  ]);
  expect(conntrack.print()).toContain('sport=2');
});

test('a flow that a datagram made anew at the last moment goes as well', async () => {
  insert(old, 1);
  remove(request, { write: () => insert(old, 1) });
  await clock.advance(100);
  expect(conntrack.print()).toBe('');
});

test('a masqueraded flow stays until the real server is gone: an answer may be on its way', async () => {
  insert(old, 1, '192.168.0.10');
  remove();
  await clock.advance(100);
  expect(events).toEqual(['20 dump', '20 cut', '20 forget UDP 10.0.0.7:1 > 172.30.0.1:53']);
});

test('one dump serves all that come together, and those that come later wait a quarter of a second', async () => {
  remove();
  remove({ ...request, virtualServer: { ...request.virtualServer, port: 54 } });
  await clock.advance(50);
  remove();
  await clock.advance(500);
  expect(events).toEqual(['20 dump', '20 cut', '20 cut', '270 dump', '270 cut']);
  // The kernel's settings decide where a datagram goes whose real server is deleted.
  expect(stand.restored).toEqual([20, 270]);
});

test('servers go although their flows cannot be found or deleted', async () => {
  insert(old, 1);
  conntrack.failWith = ({ call }) => (call === 'dump' ? 'ENOBUFS' : undefined);
  remove();
  await clock.advance(1_000);
  conntrack.failWith = ({ call }) => (call === 'delete' ? 'EPERM' : undefined);
  remove();
  await clock.advance(1_000);
  expect(events.filter((event) => event.endsWith('cut'))).toHaveLength(2);
  expect(stand.log.lines().join('\n')).toMatch(
    /could not look up the IPv4 flows[^]*could not delete the flows/,
  );
});
