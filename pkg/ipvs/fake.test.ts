import { describe, expect, test } from 'vitest';
import { ipvsContract } from '../../test/contract/ipvs.ts';
import { ip } from '../../test/support/addresses.ts';
import { virtualServerOf } from '../../test/support/virtual-server.ts';
import { errnoOf } from '../errno/errno.ts';
import { FakeIpvs } from './fake.ts';
import type { RealServer } from './ipvs.ts';

ipvsContract('IPVS in memory', () => {
  const ipvs = new FakeIpvs();
  return { ipvs, readBack: () => ipvs.dump().split('\n').slice(0, -1), close() {} };
});

const virtualServer = virtualServerOf(ip('172.30.0.1'));

const realServer: RealServer = {
  address: ip('10.0.0.1'),
  port: 80,
  weight: 1,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
};

function filled(fake: FakeIpvs): FakeIpvs {
  expect(
    fake.write([
      { kind: 'addVirtualServer', virtualServer },
      { kind: 'addRealServer', virtualServer, realServer },
    ]),
  ).toEqual([]);
  return fake;
}

describe('what only the fake can do', () => {
  test('a write that a test wants to fail fails and changes nothing', () => {
    const fake = new FakeIpvs({
      fail: ({ kind }) => (kind === 'addRealServer' ? 'ENOMEM' : undefined),
    });
    const failures = fake.write([
      { kind: 'addVirtualServer', virtualServer },
      { kind: 'addRealServer', virtualServer, realServer },
    ]);
    expect(failures.map(({ index, error }) => [index, errnoOf(error)])).toEqual([[1, 'ENOMEM']]);
    expect(fake.dump()).toBe('-A -t 172.30.0.1:80 -s rr\n');
  });

  test('counters are set, survive a change of weight, and are gone after deletion', async () => {
    const fake = filled(new FakeIpvs());
    fake.setCounters(virtualServer, realServer, { activeConnections: 3 });
    fake.write([
      { kind: 'updateRealServer', virtualServer, realServer: { ...realServer, weight: 0 } },
    ]);
    expect(await fake.realServers(virtualServer)).toMatchObject([
      { weight: 0, activeConnections: 3, inactiveConnections: 0 },
    ]);
    fake.write([
      { kind: 'deleteRealServer', virtualServer, realServer },
      { kind: 'addRealServer', virtualServer, realServer },
    ]);
    expect(await fake.realServers(virtualServer)).toMatchObject([{ activeConnections: 0 }]);
  });

  test('a fake that remembers deleted real servers gives them their counters back, until it forgets', async () => {
    const fake = filled(new FakeIpvs({ remembersDeleted: true }));
    fake.setCounters(virtualServer, realServer, { activeConnections: 3 });
    const again = () => {
      fake.write([
        { kind: 'deleteRealServer', virtualServer, realServer },
        { kind: 'addRealServer', virtualServer, realServer },
      ]);
      return fake.realServers(virtualServer);
    };
    expect(await again()).toMatchObject([{ activeConnections: 3 }]);
    fake.write([{ kind: 'deleteRealServer', virtualServer, realServer }]);
    fake.forgetDeleted();
    expect(await again()).toMatchObject([{ activeConnections: 0 }]);
  });

  test('calls are counted', async () => {
    const fake = filled(new FakeIpvs());
    await fake.realServers(virtualServer);
    expect(fake.calls).toMatchObject({
      write: 1,
      addVirtualServer: 1,
      addRealServer: 1,
      realServers: 1,
      virtualServers: 0,
    });
    fake.resetCalls();
    expect(fake.calls.write).toBe(0);
  });
});
