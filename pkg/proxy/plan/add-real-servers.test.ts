import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { virtualServer } from '../../../test/support/plan-input.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import { masqueradedState } from '../desired/real-servers.ts';
import { inSingles, messageCount, singles, succeeded } from './add-real-servers.ts';
import type { AddRealServers, Operation } from './operation.ts';
import { printOperation } from './operation.ts';

const addThree: AddRealServers = {
  kind: 'addRealServers',
  virtualServer: virtualServer(),
  port: 8080,
  state: masqueradedState({ weight: 1, connectionLimit: 100 }),
  realServers: ['1', '2', '3'].map((last) => ({
    address: ip(`10.0.0.${last}`),
    podUid: packUid(`pod-${last}`),
  })),
  first: 1,
};
const addOne: Operation = { kind: 'addVirtualServer', virtualServer: virtualServer() };
const error = new Error('refused');

function print(operations: readonly Operation[]): readonly string[] {
  return inSingles(operations).map(printOperation);
}

test('one operation stands for several, in their order and with their pods', () => {
  expect(print([addOne, addThree])).toEqual([
    '+vs 172.30.0.1:80/TCP rr',
    '+rs 172.30.0.1:80/TCP 10.0.0.2:8080 weight 1 limit 100',
    '+rs 172.30.0.1:80/TCP 10.0.0.3:8080 weight 1 limit 100',
    '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1 limit 100',
  ]);
  expect(singles(addThree).map(({ podUid }) => podUid)).toEqual(
    ['pod-2', 'pod-3', 'pod-1'].map(packUid),
  );
  expect([addOne, addThree].map(messageCount)).toEqual([1, 3]);
});

test('what succeeded is everything but what failed, one by one', () => {
  const all = [addOne, addThree];
  const [first, second, third] = singles(addThree);
  if (first === undefined || second === undefined || third === undefined) throw new Error('few');
  const within = { within: addThree, error };
  expect(succeeded(all, [])).toBe(all);
  expect(print(succeeded(all, [{ operation: second, ...within }]))).toEqual([
    '+vs 172.30.0.1:80/TCP rr',
    '+rs 172.30.0.1:80/TCP 10.0.0.2:8080 weight 1 limit 100',
    '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1 limit 100',
  ]);
  const every = [first, second, third].map((operation) => ({ operation, ...within }));
  expect(succeeded(all, every)).toEqual([addOne]);
  expect(succeeded(all, [{ operation: addOne, error }])).toEqual([addThree]);
});
