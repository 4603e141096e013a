import { expect, test } from 'vitest';
import { FakeIpvs } from '../ipvs/fake.ts';
import { recordingLogger } from '../log/memory.ts';
import { applyIpvsTimeouts } from './ipvs-timeouts.ts';

const log = recordingLogger();

test.each([
  ['nothing asked for', { tcp: 0, tcpFin: 0, udp: 0 }, 0, { tcp: 900, tcpFin: 120, udp: 300 }],
  ['as it is', { tcp: 900, tcpFin: 0, udp: 300 }, 0, { tcp: 900, tcpFin: 120, udp: 300 }],
  ['one of them', { tcp: 0, tcpFin: 0, udp: 10 }, 1, { tcp: 900, tcpFin: 120, udp: 10 }],
  ['all of them', { tcp: 1, tcpFin: 2, udp: 3 }, 1, { tcp: 1, tcpFin: 2, udp: 3 }],
])('%s', (_, wanted, writes, after) => {
  const ipvs = new FakeIpvs();
  applyIpvsTimeouts(wanted, { ipvs, log });
  expect(ipvs.calls.setTimeouts).toBe(writes);
  expect(ipvs.timeouts()).toEqual(after);
  applyIpvsTimeouts(wanted, { ipvs, log });
  expect(ipvs.calls.setTimeouts).toBe(writes);
});

test('what the kernel refuses is thrown', () => {
  const wanted = { tcp: 0x7fffffff, tcpFin: 0, udp: 0 };
  expect(() => applyIpvsTimeouts(wanted, { ipvs: new FakeIpvs(), log })).toThrow(
    'set IPVS timeouts: EINVAL',
  );
});
