import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { virtualServer } from '../../../test/support/plan-input.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { serving } from '../desired/real-servers.ts';
import { messageCount } from '../plan/add-real-servers.ts';
import type { Operation } from '../plan/operation.ts';
import { batches } from './batches.ts';

function addRealServers(count: number): Operation {
  const realServers = Array.from({ length: count }, (_, index) => ({
    address: ip(`10.0.${index >> 8}.${index & 255}`),
    podUid: unknownPod,
  }));
  const shared = { virtualServer: virtualServer(), port: 80, state: serving };
  return { kind: 'addRealServers', ...shared, realServers, first: 0 };
}

const single: Operation = { kind: 'deleteVirtualServer', virtualServer: virtualServer() };
const address: Operation = { kind: 'bindAddress', address: ip('172.30.0.1') };
const flows: Operation = { kind: 'forgetFlows', virtualServers: [] };

test.each<readonly [sentence: string, operations: readonly Operation[], sizes: readonly number[]]>([
  ['none', [], []],
  ['neighbours of a kind go together', [single, addRealServers(10), address, single], [11, 1, 1]],
  ['what has a call of its own goes alone', [flows, flows], [1, 1]],
  [
    'messages are counted, not operations',
    Array.from({ length: 10 }, () => addRealServers(64)),
    [192, 192, 192, 64],
  ],
  [
    'one that would be too many begins the next batch',
    [...Array.from({ length: 19 }, () => addRealServers(10)), addRealServers(64), single],
    [190, 65],
  ],
  ['as many as fit', Array.from({ length: 193 }, () => single), [192, 1]],
])('batches: %s', (_, operations, sizes) => {
  const found = batches(operations);
  expect(found.flat()).toEqual(operations);
  expect(found.map((batch) => batch.reduce((sum, one) => sum + messageCount(one), 0))).toEqual(
    sizes,
  );
});
