import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { families } from '../ip/address.ts';
import { rules } from '../proxy/desired/chains.ts';
import { setIds } from '../proxy/desired/sets.ts';
import { savedRule } from './saved.ts';
import { parseChains, parseSavedRule } from './saved-rule.ts';

describe('every rule of ours', () => {
  const all = families.flatMap((family) => {
    const detectors = [
      undefined,
      { kind: 'cidr', network: net(family === 'IPv4' ? '10.0.0.0/8' : 'fd00:10::/32') },
      { kind: 'interface', name: 'v-+' },
    ] as const;
    return detectors.flatMap((localDetector) => {
      const ruleset = rules(family, {
        nonEmpty: new Set(setIds),
        masqueradeMark: 0x4000,
        masqueradeAll: false,
        localDetector,
        randomFully: true,
        rejectedLoadBalancers: [{ address: ip('203.0.113.9'), protocol: 'SCTP', port: 80 }],
      });
      return ruleset.chains.flatMap(({ name, rules: own }) =>
        own.map((rule) => [savedRule(name, rule, family), rule] as const),
      );
    });
  });

  test.each(all)('%s', (text, rule) => {
    const { matches, target } = parseSavedRule(text);
    expect(target).toEqual(rule.target);
    expect(new Set(matches)).toEqual(new Set(rule.matches));
  });
});

describe('rules of others', () => {
  test.each([
    ['-A X -j LOG --log-prefix "-j DROP \\"x\\" "', [], { target: 'none' }],
    ['-A X', [], { target: 'none' }],
    ['-A X -g Y', [], { target: 'goto', chain: 'Y' }],
    ['-A X -j MARK --set-xmark 0x1/0xff', [], { target: 'setMark', value: 1, mask: 0xff }],
    [
      '-A X -j DNAT --to-destination 10.0.0.1:80',
      [],
      { target: 'DNAT', address: '10.0.0.1', port: 80 },
    ],
    [
      '-A X -j DNAT --to-destination [fd00::1]:80',
      [],
      { target: 'DNAT', address: 'fd00::1', port: 80 },
    ],
    [
      '-A X -j DNAT --to-destination 10.0.0.1',
      [],
      { target: 'DNAT', address: '10.0.0.1', port: undefined },
    ],
    [
      '-A X -j DNAT --to-destination 10.0.0.1-10.0.0.9',
      [],
      { target: 'unknown', text: 'DNAT --to-destination 10.0.0.1-10.0.0.9' },
    ],
    [
      '-A X -j SNAT --to-source 192.168.0.10 --random-fully',
      [],
      { target: 'SNAT', address: '192.168.0.10' },
    ],
    [
      '-A X -j SNAT --to-source 192.168.0.10:1024-65535',
      [],
      { target: 'unknown', text: 'SNAT --to-source 192.168.0.10:1024-65535' },
    ],
    [
      '-A X ! -o eth+ -j DROP',
      [{ match: 'outputInterface', name: 'eth+', not: true }],
      { target: 'DROP' },
    ],
    [
      '-A X -p tcp -m tcp --sport 1024:65535 --dport 80 --tcp-flags SYN,RST SYN -j DROP',
      [
        { match: 'protocol', protocol: 'TCP' },
        { match: 'sourcePort', ranges: [[1024, 65535]] },
        { match: 'destinationPort', ranges: [[80, 80]] },
        { match: 'tcpFlags', mask: ['SYN', 'RST'], set: ['SYN'] },
      ],
      { target: 'DROP' },
    ],
    [
      '-A X -p icmp -m comment --comment -j -j ACCEPT',
      [
        { match: 'otherProtocol', name: 'icmp' },
        { match: 'comment', text: '-j' },
      ],
      { target: 'ACCEPT' },
    ],
    [
      '-A X -p tcp -m tcp ! --dport 80:90 -j DROP',
      [
        { match: 'protocol', protocol: 'TCP' },
        { match: 'destinationPort', ranges: [[80, 90]], not: true },
      ],
      { target: 'DROP' },
    ],
    [
      '-A X -m multiport --dports 80,90:91 -j DROP',
      [
        {
          match: 'destinationPort',
          ranges: [
            [80, 80],
            [90, 91],
          ],
        },
      ],
      { target: 'DROP' },
    ],
    [
      '-A X -m conntrack --ctstate INVALID -j DROP',
      [{ match: 'connectionState', states: ['INVALID'] }],
      { target: 'DROP' },
    ],
    [
      '-A X ! -d 10.0.0.7/32 -m statistic --mode random --probability 0.5 -j RETURN',
      [
        { match: 'destination', network: net('10.0.0.7/32'), not: true },
        { match: 'unknown', text: '-m statistic --mode random --probability 0.5' },
      ],
      { target: 'RETURN' },
    ],
    [
      '-A X -o eth0 -m set ! --match-set S dst -j RETURN',
      [
        { match: 'outputInterface', name: 'eth0' },
        { match: 'unknown', text: '-m set ! --match-set S dst' },
      ],
      { target: 'RETURN' },
    ],
    [
      '-A X -m addrtype --src-type LOCAL --limit-iface-in -j RETURN',
      [{ match: 'unknown', text: '-m addrtype --src-type LOCAL --limit-iface-in' }],
      { target: 'RETURN' },
    ],
    [
      '-A X -m ipvs --vmethod MASQ -j RETURN',
      [{ match: 'unknown', text: '-m ipvs --vmethod MASQ' }],
      { target: 'RETURN' },
    ],
  ])('%s', (text, matches, target) => {
    expect(parseSavedRule(text)).toEqual({ text, matches, target });
  });
});

test('of a golden state no rule is unknown', () => {
  const golden = readFileSync(
    new URL('../../test/kernel/golden/real-servers.txt', import.meta.url),
    'utf8',
  );
  const [, IPv4 = '', IPv6 = ''] = golden.split(/^## ip6?tables$/m);
  for (const printed of [IPv4, IPv6]) {
    const tables = parseChains(printed.split('## ')[0] ?? '');
    const all = [...tables.values()].flatMap((chains) =>
      chains === 'opaque' ? [] : [...chains.values()].flatMap(({ rules: own }) => own),
    );
    expect(all.length).toBeGreaterThan(25);
    expect(all.filter(({ target }) => target.target === 'unknown')).toEqual([]);
    expect(
      all.flatMap(({ matches }) => matches).filter(({ match }) => match === 'unknown'),
    ).toEqual([]);
  }
});

test('chains have their policies and rules, counters left out, and tables that cannot be printed are named', () => {
  const tables = parseChains(
    [
      '*filter',
      ':INPUT DROP [7:42]',
      ':OWN - [0:0]',
      '[3:4] -A INPUT -j OWN',
      'COMMIT',
      "# Table `nat' is incompatible, use 'nft' tool.",
    ].join('\n'),
  );
  const rule = { text: '-A INPUT -j OWN', matches: [], target: { target: 'jump', chain: 'OWN' } };
  expect(tables).toEqual(
    new Map<string, unknown>([
      [
        'filter',
        new Map([
          ['INPUT', { policy: 'DROP', rules: [rule] }],
          ['OWN', { policy: undefined, rules: [] }],
        ]),
      ],
      ['nat', 'opaque'],
    ]),
  );
});
