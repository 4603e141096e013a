import { describe, expect, test } from 'vitest';
import { plainFlow, translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { serving } from '../../../test/support/objects.ts';
import { type Flow, reversed } from '../../conntrack/conntrack.ts';
import type { VirtualServerId } from '../../ipvs/ipvs.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { StaleFlowRules } from './stale-flow-rules.ts';

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

function rulesOf(write: (rules: StaleFlowRules) => void): StaleFlowRules {
  const rules = new StaleFlowRules();
  write(rules);
  return rules;
}

function endpointRules(frontEnd: UdpFrontEnd): StaleFlowRules {
  return rulesOf((rules) => {
    for (const address of frontEnd.addresses) rules.setEndpoints(address, frontEnd, 0);
  });
}

describe('a new virtual server', () => {
  const takes = (added: VirtualServerId, given: Flow) =>
    rulesOf((rules) => rules.addVirtualServer(added)).isStale(given);
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
    ['any if nobody serves', answered, dns()],
    ['one that the same address answers from another port', answered, otherPort],
    [
      'one to any of its addresses',
      answered,
      { ...dns('10.0.0.9'), addresses: [ip('192.168.0.1'), vip] },
    ],
  ])('takes %s', (_, given, frontEnd) => {
    expect(endpointRules(frontEnd).isStale(flow(given))).toBe(true);
  });

  test.each([
    ['a flow that a serving endpoint answers', answered, dns('10.0.0.9', '10.0.0.8')],
    ['TCP', translatedFlow('10.0.0.8', { protocol: 'TCP' }), dns('10.0.0.9')],
    ['another port', answered, { ...dns('10.0.0.9'), port: 54 }],
  ])('leaves %s', (_, given, frontEnd) => {
    expect(endpointRules(frontEnd).isStale(flow(given))).toBe(false);
  });
});

describe('two sets of rules together', () => {
  const answered = flow(translatedFlow('10.0.0.8'));

  test('say what both say', () => {
    const both = StaleFlowRules.merged(
      endpointRules(dns('10.0.0.9')),
      rulesOf((rules) => rules.addVirtualServer(virtualServer({ port: 80, protocol: 'TCP' }))),
    );
    expect(both.isStale(answered)).toBe(true);
    const untranslated = plainFlow({ protocol: 'TCP' });
    const original = { ...untranslated.original, destinationPort: 80 };
    expect(both.isStale(flow({ ...untranslated, original, reply: reversed(original) }))).toBe(true);
  });

  test('take the newer word on a front end', () => {
    const out = endpointRules(dns('10.0.0.9'));
    const back = endpointRules(dns('10.0.0.8'));
    expect(StaleFlowRules.merged(out, back).isStale(answered)).toBe(false);
    expect(StaleFlowRules.merged(back, out).isStale(answered)).toBe(true);
    expect(StaleFlowRules.merged(back, endpointRules(dns())).isStale(answered)).toBe(true);
  });

  test('say nothing any more when they are taken over', () => {
    const rules = endpointRules(dns('10.0.0.9'));
    const taken = new StaleFlowRules();
    taken.take(rules);
    expect([rules.isEmpty, rules.isStale(answered)]).toEqual([true, false]);
    expect([taken.isEmpty, taken.isStale(answered)]).toEqual([false, true]);
  });

  test('change neither', () => {
    const older = endpointRules(dns('10.0.0.9'));
    StaleFlowRules.merged(older, new StaleFlowRules()).setEndpoints(vip, dns('10.0.0.8'), 0);
    expect(older.isStale(answered)).toBe(true);
  });
});
