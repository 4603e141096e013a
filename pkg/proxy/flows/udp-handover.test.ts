import { afterEach, beforeEach, expect, test } from 'vitest';
import { translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { keptSettings } from '../../../test/support/settings.ts';
import { printFlow } from '../../conntrack/conntrack.ts';
import { FakeConntrack } from '../../conntrack/fake.ts';
import { recordingLogger } from '../../log/memory.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { type ForgetFlows, UdpHandover } from './udp-handover.ts';

const [old, other] = ['10.0.0.8', '10.0.0.9'];
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
  podUid: 'old',
} as const;

let clock: ManualClock;
let conntrack: FakeConntrack;
let handover: UdpHandover;
/** What happened, in order, with its time. */
let events: string[];
const log = recordingLogger();
/** When the settings of the kernel were looked at. */
let restored: number[];
let abort: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  clock = manualClock();
  conntrack = new FakeConntrack();
  events = [];
  restored = [];
  const settings = { ...keptSettings, restore: () => void restored.push(clock.now()) };
  conntrack.failWith = (call) => {
    if (call.call === 'dump') events.push(`${clock.now()} dump`);
    if (call.call === 'delete') events.push(`${clock.now()} forget ${printFlow(call.flow)}`);
    return undefined;
  };
  handover = new UdpHandover({ conntrack, settings, clock, log });
  abort = new AbortController();
  ended = handover.run(abort.signal);
});

afterEach(async () => {
  abort.abort();
  await ended;
  if (clock.pending() > 0) throw new Error('a timer is left');
});

async function cut({ before, after }: ForgetFlows): Promise<void> {
  before([request]);
  events.push(`${clock.now()} cut`);
  after([request]);
}

/** A flow through the virtual server. */
function insert(realServer: string, sourcePort: number, masqueradedBy?: string): void {
  const flow = translatedFlow(realServer, { sourcePort });
  const reply = { ...flow.reply, destination: ip(masqueradedBy ?? flow.reply.destination) };
  conntrack.insert({ ...flow, reply, status: 0 });
}

test('the flows of a server go before it goes, and once more after it', async () => {
  insert(old, 1);
  insert(other, 2);
  handover.pass([request], cut);
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
  handover.pass([request], async ({ before, after }) => {
    before([request]);
    insert(old, 1);
    after([request]);
  });
  await clock.advance(100);
  expect(conntrack.print()).toBe('');
});

test('a masqueraded flow stays until the server is gone: an answer may be on its way', async () => {
  insert(old, 1, '192.168.0.10');
  handover.pass([request], cut);
  await clock.advance(100);
  expect(events).toEqual(['20 dump', '20 cut', '20 forget UDP 10.0.0.7:1 > 172.30.0.1:53']);
});

test('the flows of a server that is wanted again by then stay', async () => {
  insert(old, 1);
  handover.pass([request], async ({ before, after }) => {
    before([]);
    after([]);
  });
  await clock.advance(100);
  expect(conntrack.print()).toContain('sport=1');
});

test('one dump serves all that come together, and those that come later wait a quarter of a second', async () => {
  handover.pass([request], cut);
  handover.pass([{ ...request, virtualServer: { ...request.virtualServer, port: 54 } }], cut);
  await clock.advance(50);
  handover.pass([request], cut);
  await clock.advance(500);
  expect(events).toEqual(['20 dump', '20 cut', '20 cut', '270 dump', '270 cut']);
  // The kernel's settings decide where a datagram goes whose server is deleted.
  expect(restored).toEqual([20, 270]);
});

test('servers go although their flows cannot be found or deleted', async () => {
  insert(old, 1);
  conntrack.failWith = ({ call }) => (call === 'dump' ? 'ENOBUFS' : undefined);
  handover.pass([request], cut);
  await clock.advance(1_000);
  conntrack.failWith = ({ call }) => (call === 'delete' ? 'EPERM' : undefined);
  handover.pass([request], cut);
  await clock.advance(1_000);
  expect(events.filter((event) => event.endsWith('cut'))).toHaveLength(2);
  expect(log.lines().join('\n')).toMatch(
    /could not look up the IPv4 flows[^]*could not delete the flows/,
  );
});

test('a deletion that fails harms nobody else', async () => {
  handover.pass([request], () => Promise.reject(new Error('no')));
  handover.pass([request], cut);
  await clock.advance(1_000);
  expect(events.filter((event) => event.endsWith('cut'))).toHaveLength(1);
});
