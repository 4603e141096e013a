import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import {
  balanced,
  ended,
  packet,
  realServer,
  state,
  table,
  verdictOf,
  vip,
  virtualServer,
} from '../../test/support/traced-rules.ts';
import type { Entry } from '../ipset/ipset.ts';
import { type KernelState, type TracedSet, tracedSet } from './state.ts';
import { trace } from './trace.ts';

describe('chains', () => {
  test.each([
    [
      'a policy ends what no rule decides',
      table('filter').replace('INPUT ACCEPT', 'INPUT DROP'),
      'dropped',
    ],
    [
      'ACCEPT ends its table only',
      table('mangle', '-A INPUT -j ACCEPT') + table('filter', '-A INPUT -j DROP'),
      'dropped',
    ],
    [
      'RETURN of a jump goes on after it',
      table(
        'filter',
        '-A INPUT -j OWN',
        '-A INPUT -j DROP',
        '-A OWN -j RETURN',
        '-A OWN -j ACCEPT',
      ),
      'dropped',
    ],
    [
      'RETURN of a goto ends the chain that it stands in',
      table('filter', '-A INPUT -g OWN', '-A INPUT -j DROP', '-A OWN -j RETURN'),
      balanced,
    ],
    ['a logged packet goes on', table('filter', '-A INPUT -j LOG', '-A INPUT -j DROP'), 'dropped'],
    [
      'a mark is carried on',
      table('raw', '-A PREROUTING -j MARK --set-xmark 0x10/0x10') +
        table('filter', '-A OUTPUT -m mark --mark 0x10/0x10 -j DROP'),
      ended('dropped'),
    ],
    [
      'a mark is cleared by its mask',
      table(
        'raw',
        '-A PREROUTING -j MARK --set-xmark 0x11/0x11',
        '-A PREROUTING -j MARK --set-xmark 0x0/0x1',
      ) + table('filter', '-A INPUT -m mark --mark 0x10 -j DROP'),
      'dropped',
    ],
    [
      'a first packet is NEW, and nothing else',
      table(
        'filter',
        '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,INVALID -j ACCEPT',
        '-A INPUT -m conntrack --ctstate NEW -j DROP',
      ),
      'dropped',
    ],
    [
      'a first packet of TCP has the flag SYN alone',
      table(
        'filter',
        '-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j OWN',
        '-A OWN -p tcp -m tcp --tcp-flags SYN,ACK SYN,ACK -j ACCEPT',
        '-A OWN -j DROP',
      ),
      'dropped',
    ],
    [
      'a rule that only logs decides nothing, whatever it is about',
      table('filter', '-A INPUT -m limit --limit 1/min -j LOG', '-A INPUT -j DROP'),
      'dropped',
    ],
    ['another family has other rules', table('filter', '-A INPUT -s fd00::/8 -j DROP'), balanced],
  ])('%s', (_, rules, expected) => {
    expect(verdictOf(state(rules))).toBe(expected);
  });
});

test('a packet passes the rules of both packet filters', () => {
  const rules = table('filter', '-A INPUT -j ACCEPT');
  const others = [table('filter', '-A INPUT -j DROP')];
  expect(verdictOf(state(rules, { others }))).toBe('dropped');
});

describe('output devices', () => {
  const outputs = new Map([[ip('10.0.1.1'), 'v-web']]);
  const virtualServers = [{ virtualServer, realServers: [realServer(ip('10.0.1.1'))] }];

  test.each([
    ['-A POSTROUTING -o v-web -j DROP', '10.0.1.1 dropped'],
    ['-A POSTROUTING -o v-+ -j DROP', '10.0.1.1 dropped'],
    ['-A POSTROUTING ! -o v-web -j DROP', '10.0.1.1 passed'],
    ['-A INPUT -o lo -j DROP', '10.0.1.1 passed'],
  ])('%s', (rule, expected) => {
    expect(verdictOf(state(table('mangle', rule), { outputs, virtualServers }))).toBe(expected);
  });

  test('cannot be judged where the route is not known', () => {
    const rules = table('mangle', '-A POSTROUTING -o v-web -j DROP');
    expect(verdictOf(state(rules, { virtualServers }))).toBe('10.0.1.1 unknown');
  });
});

describe('translation by rules', () => {
  const toPod = table(
    'nat',
    '-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.1.7:8080',
  );

  test('of the destination comes before IPVS, which then does not see the packet', () => {
    expect(verdictOf(state(toPod))).toBe('forwarded');
    const drop = table('filter', '-A FORWARD -d 10.0.1.7/32 -p tcp -m tcp --dport 8080 -j DROP');
    expect(verdictOf(state(toPod + drop))).toBe('dropped');
  });

  test('is done once: the other packet filter is not asked', () => {
    const others = [table('nat', '-A PREROUTING -j DROP')];
    expect(verdictOf(state(toPod, { others }))).toBe('forwarded');
    expect(verdictOf(state(table('nat'), { others }))).toBe('dropped');
  });

  test('of a packet of the node leads elsewhere', () => {
    const rules = table('nat', '-A OUTPUT -j DNAT --to-destination 10.0.1.7');
    const origin = { kind: 'node' } as const;
    expect(verdictOf(state(rules), { source: vip, origin })).toBe('forwarded');
  });

  test('of the source is to an address that later rules match', () => {
    const rules = table('nat', '-A POSTROUTING -j SNAT --to-source 192.168.0.10');
    const virtualServers = [{ virtualServer, realServers: [realServer(ip('10.0.1.1'))] }];
    expect(trace(state(rules, { virtualServers }), packet).verdict).toMatchObject({
      balancing: { choices: [{ fate: 'passed', masqueradedBy: { target: { target: 'SNAT' } } }] },
    });
  });
});

describe('what cannot be judged', () => {
  const lastReason = (kernel: KernelState) => {
    const { steps, verdict } = trace(kernel, packet);
    const last = steps.at(-1);
    return [verdict.kind, last?.kind === 'unknown' ? last.reason : last?.kind];
  };

  test.each([
    [
      'a condition',
      '-A INPUT -m statistic --mode nth -j DROP',
      '-A INPUT -m statistic --mode nth -j DROP (-m statistic --mode nth)',
    ],
    ['a target', '-A INPUT -j NFQUEUE --queue-num 1', '-A INPUT -j NFQUEUE --queue-num 1'],
    ['a chain that is missing', '-A INPUT -j GONE', '-A INPUT -j GONE'],
    ['chains that lead in a circle', '-A INPUT -j OWN\n-A OWN -j OWN', '-A OWN -j OWN'],
    [
      'a set that is missing',
      '-A INPUT -m set --match-set GONE dst -j DROP',
      '-A INPUT -m set --match-set GONE dst -j DROP (there is no set GONE)',
    ],
    [
      'a set of a type that is not known',
      '-A INPUT -m set --match-set ODD dst -j DROP',
      '-A INPUT -m set --match-set ODD dst -j DROP (set ODD has entries of an unknown kind)',
    ],
    [
      'the source port of a packet without one',
      '-A INPUT -m set --match-set PORTS src -j DROP',
      '-A INPUT -m set --match-set PORTS src -j DROP (its source port is not given)',
    ],
  ])('%s ends the trace, which says so', (_, rules, reason) => {
    const sets = new Map<string, TracedSet>([
      ['ODD', 'unreadable'],
      ['PORTS', tracedSet('bitmap:port', [{ type: 'bitmap:port', port: 1 }])],
    ]);
    expect(lastReason(state(table('filter', ...rules.split('\n')), { sets }))).toEqual([
      'unknown',
      reason,
    ]);
  });

  test('a table that iptables cannot print ends the trace', () => {
    const opaque = "# Table `filter' is incompatible, use 'nft' tool.\n";
    expect(lastReason(state(opaque))).toEqual(['unknown', 'iptables cannot print this table']);
  });

  test('is passed over where another condition of the rule is false', () => {
    const rules = table('filter', '-A INPUT -s 192.168.0.0/24 -m statistic --mode nth -j DROP');
    expect(verdictOf(state(rules))).toBe(balanced);
  });

  test('another way of forwarding than masquerading', () => {
    const virtualServers = [
      { virtualServer, realServers: [realServer(ip('10.0.1.1'), { forwarding: 'direct' })] },
    ];
    expect(verdictOf(state('', { virtualServers }))).toBe('10.0.1.1 unknown');
  });
});

describe('sets', () => {
  const protocol = 'TCP';
  const from = packet.source;
  const port = 80;
  test.each<[string, string, Entry, boolean]>([
    ['hash:ip', 'dst', { type: 'hash:ip', ip: vip }, true],
    ['hash:ip of sources', 'src', { type: 'hash:ip', ip: vip }, false],
    ['hash:ip,port', 'dst,dst', { type: 'hash:ip,port', ip: vip, protocol, port }, true],
    [
      'hash:ip,port of another protocol',
      'dst,dst',
      { type: 'hash:ip,port', ip: vip, protocol: 'UDP', port },
      false,
    ],
    [
      'hash:ip,port by its source',
      'src,dst',
      { type: 'hash:ip,port', ip: from, protocol, port },
      true,
    ],
    [
      'hash:ip,port with a dimension too few',
      'dst',
      { type: 'hash:ip,port', ip: vip, protocol, port },
      false,
    ],
    [
      'hash:ip,port,ip',
      'dst,dst,src',
      { type: 'hash:ip,port,ip', ip: vip, protocol, port, ip2: from },
      true,
    ],
    [
      'hash:ip,port,net',
      'dst,dst,src',
      {
        type: 'hash:ip,port,net',
        ip: vip,
        protocol,
        port,
        net: { address: ip('10.0.0.0'), length: 8 },
      },
      true,
    ],
    [
      'hash:ip,port,net of everybody',
      'dst,dst,src',
      {
        type: 'hash:ip,port,net',
        ip: vip,
        protocol,
        port,
        net: { address: ip('0.0.0.0'), length: 0 },
      },
      true,
    ],
    [
      'hash:ip,port,net of others',
      'dst,dst,src',
      {
        type: 'hash:ip,port,net',
        ip: vip,
        protocol,
        port,
        net: { address: ip('10.1.0.0'), length: 16 },
      },
      false,
    ],
    ['bitmap:port', 'dst', { type: 'bitmap:port', port }, true],
    ['bitmap:port without it', 'dst', { type: 'bitmap:port', port: 81 }, false],
    ['a set of the other family', 'dst', { type: 'hash:ip', ip: ip('fd00::1') }, false],
  ])('%s is asked for %s', (_, directions, entry, isIn) => {
    const sets = new Map<string, TracedSet>([['S', tracedSet(entry.type, [entry])]]);
    const rules = table('filter', `-A INPUT -m set --match-set S ${directions} -j DROP`);
    expect(verdictOf(state(rules, { sets }))).toBe(isIn ? 'dropped' : balanced);
  });

  test('a bitmap of ports knows nothing of SCTP, as the kernel', () => {
    const sets = new Map([['S', tracedSet('bitmap:port', [{ type: 'bitmap:port', port }])]]);
    const rules = table('filter', '-A INPUT -m set --match-set S dst -j DROP');
    expect(verdictOf(state(rules, { sets }), { protocol: 'SCTP' })).toBe('node');
  });
});

describe('bridged packets', () => {
  const bridged = { kind: 'device', name: 'cni0', bridgePort: 'v-caller' } as const;
  test.each([
    ['-A PREROUTING -m physdev --physdev-is-in -j DROP', 'dropped'],
    ['-A PREROUTING -i cni0 -j DROP', 'dropped'],
    ['-A PREROUTING -i v-caller -j DROP', balanced],
    // They have no port any more once they are handed up.
    ['-A INPUT -m physdev --physdev-is-in -j DROP', balanced],
  ])('%s', (rule, expected) => {
    expect(verdictOf(state(table('mangle', rule)), { origin: bridged })).toBe(expected);
  });
});
