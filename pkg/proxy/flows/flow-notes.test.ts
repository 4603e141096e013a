import { describe, expect, test } from 'vitest';
import { plainFlow, translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { serving } from '../../../test/support/objects.ts';
import type { Flow } from '../../conntrack/conntrack.ts';
import type { Protocol } from '../../ip/protocol.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { FlowNotes } from './flow-notes.ts';

const vip = ip('172.30.0.1');

function virtualServer(changes: Partial<VirtualServerId> = {}): VirtualServerId {
  return { address: vip, protocol: 'UDP', port: 53, ...changes };
}

function dns(...endpoints: readonly string[]): UdpFrontEnd {
  return {
    addresses: [vip],
    port: 53,
    endpoints: serving(endpoints),
  };
}

function flow(wanted: ReturnType<typeof plainFlow>): Flow {
  return { ...wanted, id: 1, status: 0 };
}

function notesOf(write: (notes: FlowNotes) => void): FlowNotes {
  const notes = new FlowNotes();
  write(notes);
  return notes;
}

function endpointNotes(frontEnd: UdpFrontEnd): FlowNotes {
  return notesOf((notes) => {
    for (const address of frontEnd.addresses) notes.noteEndpoints(address, frontEnd);
  });
}

describe('a new virtual server', () => {
  const takes = (added: VirtualServerId, given: Flow) =>
    notesOf((notes) => notes.noteServer(added)).condemns(given);
  const masqueraded = {
    ...plainFlow(),
    reply: { ...plainFlow().reply, destination: ip('192.168.0.1') },
  };

  test.each([
    ['a flow that came before it', plainFlow(), virtualServer()],
    [
      'one over IPv6',
      plainFlow({ isIPv6: true }),
      virtualServer({ address: ip('fd00:172:30::1') }),
    ],
  ])('takes %s', (_, given, added) => {
    expect(takes(added, flow(given))).toBe(true);
  });

  test.each([
    ['one that it translated', translatedFlow('10.0.0.8'), virtualServer()],
    ['one to another port', plainFlow(), virtualServer({ port: 54 })],
    ['one to another address', plainFlow(), virtualServer({ address: ip('172.30.0.2') })],
    ['one of another protocol', plainFlow(), virtualServer({ protocol: 'TCP' })],
    [
      'one whose source alone was rewritten: somebody took charge of it',
      masqueraded,
      virtualServer(),
    ],
  ])('leaves %s', (_, given, added) => {
    expect(takes(added, flow(given))).toBe(false);
  });
});

describe('a changed UDP front end', () => {
  const answered = translatedFlow('10.0.0.8');
  const otherPort = { ...dns(), endpoints: serving(['10.0.0.8'], 53) };

  test.each([
    ['a flow that another address answers', answered, dns('10.0.0.9')],
    ['one that was never translated', plainFlow(), dns('10.0.0.9')],
    ['one that the same address answers from another port', answered, otherPort],
    [
      'one to any of its addresses',
      answered,
      { ...dns('10.0.0.9'), addresses: [ip('192.168.0.1'), vip] },
    ],
  ])('takes %s', (_, given, frontEnd) => {
    expect(endpointNotes(frontEnd).condemns(flow(given))).toBe(true);
  });

  test.each([
    ['a flow that a serving endpoint answers', answered, dns('10.0.0.9', '10.0.0.8')],
    ['all if nobody serves', answered, dns()],
    ['TCP', translatedFlow('10.0.0.8', { protocol: 'TCP' }), dns('10.0.0.9')],
    ['another port', answered, { ...dns('10.0.0.9'), port: 54 }],
  ])('leaves %s', (_, given, frontEnd) => {
    expect(endpointNotes(frontEnd).condemns(flow(given))).toBe(false);
  });
});

describe('two notes together', () => {
  const answered = flow(translatedFlow('10.0.0.8'));

  test('say what both say', () => {
    const both = FlowNotes.merged(
      endpointNotes(dns('10.0.0.9')),
      notesOf((notes) => notes.noteServer(virtualServer({ port: 80, protocol: 'TCP' }))),
    );
    expect(both.condemns(answered)).toBe(true);
    expect(both.protocols).toEqual(new Set(['TCP', 'UDP']));
  });

  test('take the newer word on a front end', () => {
    const [out, back] = [endpointNotes(dns('10.0.0.9')), endpointNotes(dns('10.0.0.8'))];
    expect(FlowNotes.merged(out, back).condemns(answered)).toBe(false);
    expect(FlowNotes.merged(back, out).condemns(answered)).toBe(true);
    expect(FlowNotes.merged(out, endpointNotes(dns())).condemns(answered)).toBe(false);
  });

  test('change neither', () => {
    const older = endpointNotes(dns('10.0.0.9'));
    FlowNotes.merged(older, new FlowNotes()).noteEndpoints(vip, dns('10.0.0.8'));
    expect(older.condemns(answered)).toBe(true);
  });
});

test.each<[string, FlowNotes, readonly Protocol[]]>([
  ['nothing', new FlowNotes(), []],
  ['a front end without endpoints', endpointNotes(dns()), []],
  ['a front end', endpointNotes(dns('10.0.0.8')), ['UDP']],
  [
    'an SCTP server',
    notesOf((notes) => notes.noteServer(virtualServer({ protocol: 'SCTP' }))),
    ['SCTP'],
  ],
])('protocols of %s', (_, notes, expected) => {
  expect([...notes.protocols]).toEqual(expected);
});
