import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import {
  balanced,
  ended,
  nodeAddress,
  packet,
  realServer,
  state,
  table,
  verdictOf,
  vip,
  virtualServer,
} from '../../test/support/traced-rules.ts';
import type { Packet } from './packet.ts';
import { trace } from './trace.ts';

describe('on its way to a virtual server a packet from a device', () => {
  test.each([
    ['without rules is balanced', '', balanced],
    ['is seen in raw PREROUTING', table('raw', '-A PREROUTING -j DROP'), 'dropped'],
    [
      'is seen in filter INPUT before IPVS',
      table('filter', '-A INPUT -d 172.30.0.1/32 -j REJECT'),
      'rejected',
    ],
    ['is not seen in FORWARD', table('filter', '-A FORWARD -j DROP'), balanced],
    ['is not seen in nat INPUT', table('nat', '-A INPUT -j DROP'), balanced],
    [
      'is seen in OUTPUT with its real server',
      table('filter', '-A OUTPUT -d 10.0.1.2/32 -j DROP'),
      balanced.replace('2 passed', '2 dropped'),
    ],
    ['is not seen in nat OUTPUT', table('nat', '-A OUTPUT -j DROP'), balanced],
    [
      'has come in by no device in OUTPUT',
      table('filter', '-A OUTPUT ! -i v-+ -j DROP'),
      ended('dropped'),
    ],
    [
      'is known to come from IPVS in OUTPUT',
      table(
        'filter',
        '-A OUTPUT -m ipvs --vproto 6 --vaddr 172.30.0.1 --vport 80 --vdir ORIGINAL -j DROP',
      ),
      ended('dropped'),
    ],
    [
      'is known by its own virtual server only',
      table('filter', '-A OUTPUT -m ipvs --vproto 6 --vaddr 172.30.0.2 --vport 80 -j DROP'),
      balanced,
    ],
    [
      'is seen in mangle POSTROUTING',
      table('mangle', '-A POSTROUTING -p tcp -m tcp --dport 8080 -j DROP'),
      ended('dropped'),
    ],
  ])('%s', (_, rules, expected) => {
    expect(verdictOf(state(rules))).toBe(expected);
  });
});

describe('on its way to a virtual server a packet from the node', () => {
  const node = { source: vip, origin: { kind: 'node' } } as const;
  test.each([
    ['is not seen in INPUT', table('filter', '-A INPUT -j DROP'), balanced],
    [
      'is seen in nat OUTPUT with the virtual server',
      table('nat', '-A OUTPUT -d 172.30.0.1/32 -j DROP'),
      'dropped',
    ],
    [
      'is seen in filter OUTPUT with its real server only',
      table('filter', '-A OUTPUT -d 172.30.0.1/32 -j DROP'),
      balanced,
    ],
    [
      'is of the node',
      table('filter', '-A OUTPUT -m addrtype --src-type LOCAL -j DROP'),
      ended('dropped'),
    ],
  ])('%s', (_, rules, expected) => {
    expect(verdictOf(state(rules), node)).toBe(expected);
  });

  test.each([
    ['goes back in by lo', table('filter', '-A INPUT -i lo -p tcp -m tcp --dport 8080 -j DROP')],
    [
      'is masqueraded before that',
      table('nat', '-A POSTROUTING -j MASQUERADE') +
        table('filter', '-A INPUT -s 172.30.0.1/32 -j DROP'),
    ],
  ])('to a real server on the node %s', (name, rules) => {
    const virtualServers = [{ virtualServer, realServers: [realServer(nodeAddress)] }];
    const expected = name.startsWith('goes') ? 'dropped' : 'unknown';
    expect(verdictOf(state(rules, { virtualServers }), node)).toBe(`${nodeAddress} ${expected}`);
  });
});

test('a packet from a device to a real server on the node is not masqueraded, and seen in nat INPUT', () => {
  const virtualServers = [{ virtualServer, realServers: [realServer(nodeAddress)] }];
  const masquerade = table('nat', '-A POSTROUTING -j MASQUERADE');
  expect(trace(state(masquerade, { virtualServers }), packet).verdict).toMatchObject({
    kind: 'balanced',
    balancing: { choices: [{ isOnNode: true, fate: 'passed', masqueradedBy: undefined }] },
  });
  const drop = table('nat', '-A INPUT -p tcp -m tcp --dport 8080 -j DROP');
  expect(verdictOf(state(drop, { virtualServers }))).toBe(`${nodeAddress} dropped`);
});

describe('a packet that is for no virtual server', () => {
  test.each<[string, Partial<Packet>, string, string]>([
    ['to the node is handed to its sockets', { destination: nodeAddress }, '', 'node'],
    [
      'to the node is seen in nat INPUT',
      { destination: nodeAddress },
      table('nat', '-A INPUT -j DROP'),
      'dropped',
    ],
    ['to elsewhere is forwarded', { destination: ip('10.0.1.1') }, '', 'forwarded'],
    [
      'to elsewhere is seen in FORWARD',
      { destination: ip('10.0.1.1') },
      table('filter', '-A FORWARD -i v-caller -j DROP'),
      'dropped',
    ],
    [
      'from the node to itself comes back by lo',
      { source: nodeAddress, destination: nodeAddress, origin: { kind: 'node' } },
      table('filter', '-A INPUT -i lo -j DROP'),
      'dropped',
    ],
    [
      'from the node to localhost is not balanced',
      { source: ip('127.0.0.1'), destination: ip('127.0.0.1'), origin: { kind: 'node' } },
      '',
      'node',
    ],
    [
      'from the node to elsewhere leaves',
      { source: nodeAddress, destination: ip('10.0.1.1'), origin: { kind: 'node' } },
      '',
      'forwarded',
    ],
  ])('%s', (_, over, rules, expected) => {
    expect(verdictOf(state(rules), over)).toBe(expected);
  });
});
