import { expect, test } from 'vitest';
import { packet, pods, state, table, vip, virtualServer } from '../../test/support/traced-rules.ts';
import type { Entry } from '../ipset/ipset.ts';
import type { Packet } from './packet.ts';
import { printTrace } from './print.ts';
import { tracedSet } from './state.ts';
import { trace } from './trace.ts';

test('a trace prints one line a step, and each real server with its own steps', () => {
  const rules =
    table(
      'nat',
      '-A PREROUTING -m comment --comment "the portal" -j OWN',
      '-A OWN -m set --match-set S dst,dst -j MARK --set-xmark 0x1/0x1',
      '-A POSTROUTING -s 10.0.1.1/32 -m comment --comment hairpin -j MASQUERADE',
    ) + table('filter', '-A INPUT -j OWN');
  const entry: Entry = { type: 'hash:ip,port', ip: vip, protocol: 'TCP', port: 80 };
  const [one, two] = pods;
  if (one === undefined || two === undefined) throw new Error('no pods');
  const kernel = state(rules, {
    sets: new Map([['S', tracedSet(entry.type, [entry])]]),
    virtualServers: [{ virtualServer, realServers: [one, { ...two, weight: 0 }] }],
  });
  const fromPod: Packet = { ...packet, source: one.address };
  expect(printTrace(fromPod, trace(kernel, fromPod))).toBe(
    [
      'TCP 10.0.1.1 → 172.30.0.1:80 in by v-caller',
      'PREROUTING nat: "the portal" → OWN',
      'PREROUTING nat OWN: in S (dst,dst) → mark or 0x1',
      'route: 172.30.0.1 is an address of kube-ipvs0',
      'INPUT filter: everything → OWN',
      'INPUT ipvs: virtual server 172.30.0.1:80/TCP rr',
      'to 10.0.1.1:8080 (weight 1, the client itself): masqueraded by "hairpin"',
      '  POSTROUTING nat: "hairpin" → MASQUERADE',
      'not to 10.0.1.2:8080: weight 0',
      '',
    ].join('\n'),
  );
});
