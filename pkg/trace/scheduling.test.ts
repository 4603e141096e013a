import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import {
  packet,
  pods,
  realServer,
  state,
  table,
  verdictOf,
  virtualServer,
} from '../../test/support/traced-rules.ts';
import { IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_SCHED1 } from '../ipvs/ipvs.ts';
import { type TracedVirtualServer } from './state.ts';
import { trace } from './trace.ts';

describe('schedulers', () => {
  const scheduled = (
    scheduler: string,
    weights: readonly number[],
    flags = 0,
  ): TracedVirtualServer => ({
    virtualServer: { ...virtualServer, scheduler, flags },
    realServers: pods.map((pod, index) => ({ ...pod, weight: weights[index] ?? 1 })),
  });
  test.each<[string, TracedVirtualServer, string, RegExp | undefined]>([
    ['any without weight 0', scheduled('wlc', [1, 0, 2]), '10.0.1.1, 10.0.1.3', undefined],
    ['fo the heaviest', scheduled('fo', [1, 2, 2]), '10.0.1.2, 10.0.1.3', undefined],
    ['sh may refuse while one drains', scheduled('sh', [1, 0, 1]), '10.0.1.1, 10.0.1.3', /hashes/],
    [
      'not with the fallback',
      scheduled('sh', [1, 0, 1], IP_VS_SVC_F_SCHED1),
      '10.0.1.1, 10.0.1.3',
      undefined,
    ],
    [
      'dh has no such flag',
      scheduled('dh', [1, 0, 1], IP_VS_SVC_F_SCHED1),
      '10.0.1.1, 10.0.1.3',
      /hashes/,
    ],
    [
      'ovf is full at last',
      scheduled('ovf', [2, 2, 0]),
      '10.0.1.1, 10.0.1.2',
      /more active connections/,
    ],
  ])('%s', (_, virtualServer, chosen, refusal) => {
    const { verdict } = trace(state('', { virtualServers: [virtualServer] }), packet);
    if (verdict.kind !== 'balanced') throw new Error(verdict.kind);
    const { choices, mayRefuse } = verdict.balancing;
    expect(choices.map(({ realServer: { address } }) => address).join(', ')).toBe(chosen);
    if (refusal === undefined) expect(mayRefuse).toBeUndefined();
    else expect(mayRefuse).toMatch(refusal);
  });

  test('without a real server that may be chosen the packet is refused', () => {
    expect(verdictOf(state('', { virtualServers: [scheduled('rr', [0, 0, 0])] }))).toBe('refused');
  });

  test('a persistent virtual server for all ports takes what no other one does', () => {
    const any = { ...virtualServer, port: 0, flags: IP_VS_SVC_F_PERSISTENT, timeout: 60 };
    const virtualServers = [
      { virtualServer: any, realServers: [realServer(ip('10.0.1.1'), { port: 0 })] },
    ];
    const { verdict } = trace(state('', { virtualServers }), packet);
    expect(verdict).toMatchObject({ kind: 'balanced', balancing: { affinitySeconds: 60 } });
    const rules = table('filter', '-A OUTPUT -p tcp -m tcp --dport 80 -j DROP');
    expect(verdictOf(state(rules, { virtualServers }))).toBe('10.0.1.1 dropped');
    const plain = [{ virtualServer: { ...any, flags: 0 }, realServers: pods }];
    expect(verdictOf(state('', { virtualServers: plain }))).toBe('node');
  });
});
