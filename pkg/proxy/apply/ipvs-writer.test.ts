import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { virtualServer } from '../../../test/support/plan-input.ts';
import { FakeIpvs } from '../../ipvs/fake.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import { anyPod, unknownPod } from '../desired/pod-identity.ts';
import { masqueradedState } from '../desired/real-servers.ts';
import { Mirror } from '../observed/mirror.ts';
import type { IpvsOperation } from '../plan/failed-operation.ts';
import { printOperation } from '../plan/operation.ts';
import { writeIpvs } from './ipvs-writer.ts';
import { countKinds } from './operation-counts.ts';

const web = virtualServer();
const key = virtualServerKey(web);

function adding(connectionLimit?: number): readonly IpvsOperation[] {
  const state = masqueradedState({ weight: 1, connectionLimit });
  const pods = [packUid('pod-1'), packUid('pod-2'), anyPod];
  const realServers = pods.map((podUid, index) => ({ address: ip(`10.0.0.${index + 1}`), podUid }));
  return [
    { kind: 'addVirtualServer', virtualServer: web },
    { kind: 'addRealServers', virtualServer: web, port: 8080, state, realServers, first: 0 },
  ];
}

/** What the mirror has of the virtual server. */
function held(mirror: Mirror): readonly unknown[] {
  const all = mirror.virtualServers.get(key)?.realServers ?? [];
  return [...all].map(([id, { podUid, state }]) => ({ ...id, podUid, ...state }));
}

test.each([undefined, 100])(
  'real servers that are added together are held as if they were added one by one (limit %s)',
  (connectionLimit) => {
    const ipvs = new FakeIpvs();
    const mirror = new Mirror();
    expect(writeIpvs(adding(connectionLimit), { ipvs, mirror })).toEqual([]);
    expect(held(mirror)).toMatchObject([
      { address: '10.0.0.1', port: 8080, weight: 1, podUid: packUid('pod-1') },
      { address: '10.0.0.2', port: 8080, weight: 1, podUid: packUid('pod-2') },
      { address: '10.0.0.3', upperThreshold: connectionLimit ?? 0, podUid: unknownPod },
    ]);
    expect(mirror.unknownVirtualServers.size).toBe(0);
    expect(ipvs.calls.addRealServer).toBe(3);
  },
);

test('of real servers that are added together only those fail that the kernel refuses', () => {
  const ipvs = new FakeIpvs({
    fail: (write) =>
      write.kind === 'addRealServer' && write.realServer.address === '10.0.0.2'
        ? 'ENOMEM'
        : undefined,
  });
  const mirror = new Mirror();
  const batch = adding();
  const failed = writeIpvs(batch, { ipvs, mirror });
  expect(failed.map(({ operation }) => printOperation(operation))).toEqual([
    '+rs 172.30.0.1:80/TCP 10.0.0.2:8080 weight 1',
  ]);
  expect(failed.map(({ within }) => within)).toEqual([batch[1]]);
  expect(held(mirror)).toMatchObject([{ address: '10.0.0.1' }, { address: '10.0.0.3' }]);
  expect([...mirror.unknownVirtualServers.keys()]).toEqual([key]);
  expect(Object.fromEntries(countKinds(batch, []))).toEqual({
    addVirtualServer: { done: 1, failed: 0 },
    addRealServer: { done: 3, failed: 0 },
  });
});

test('a write that throws is a failure of each real server', () => {
  const ipvs = {
    write: () => {
      throw new Error('the socket is closed');
    },
    virtualServer: () => undefined,
  };
  const failed = writeIpvs(adding(), { ipvs, mirror: new Mirror() });
  expect(failed.map(({ operation }) => operation.kind)).toEqual([
    'addVirtualServer',
    'addRealServer',
    'addRealServer',
    'addRealServer',
  ]);
});
