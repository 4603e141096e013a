import { beforeEach, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import { anyPod, unknownPod } from '../desired/pod-identity.ts';
import { draining, masqueradedState, realServerAt, serving } from '../desired/real-servers.ts';
import { HeldRealServerMap } from './held-real-servers.ts';

const at = (last: number, port = 8080) => ({ address: ip(`10.0.0.${last}`), port });
const uid = (last: number) => packUid(`pod-${last}`);
const podAddresses = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    address: at(index + 1).address,
    podUid: uid(index + 1),
  }));

/** Those that were added together, and so are a list or, if there are many, a table. */
const cases = [3, 20] as const;
let held: HeldRealServerMap;

/** Everything that a reader sees, one line for each. */
function lines(): readonly string[] {
  const visited: string[] = [];
  held.forEach(({ state: { weight }, podUid }, { address, port }) => {
    visited.push(`${address}:${port} ${weight} ${podUid}`);
  });
  const iterated = [...held].map(
    ([{ address, port }, { state, podUid }]) => `${address}:${port} ${state.weight} ${podUid}`,
  );
  expect(iterated).toEqual(visited);
  expect(held.size).toBe(visited.length);
  return visited;
}

beforeEach(() => {
  held = new HeldRealServerMap();
});

test.each(cases)('%d that were added together are read as if they came one by one', (count) => {
  const together = podAddresses(count);
  held.recordAlike(together, { port: 8080, state: serving });
  const seen = lines();
  const singly = new HeldRealServerMap();
  for (const { address, podUid } of together)
    singly.record(realServerAt({ address, port: 8080 }, serving), podUid);
  held = singly;
  expect(seen).toEqual(lines());
  expect(seen).toHaveLength(count);
});

test.each(cases)('of %d that were added together each is found by address and port', (count) => {
  const together = podAddresses(count);
  held.recordAlike(together, { port: 8080, state: serving });
  expect(held.get(at(2))).toEqual({ podUid: uid(2), state: serving });
  expect([held.has(at(3)), held.podOf(at(3))]).toEqual([true, uid(3)]);
  expect([held.has(at(2, 81)), held.get(at(2, 81))]).toEqual([false, undefined]);
  expect([held.has(at(99)), held.podOf(at(99))]).toEqual([false, undefined]);
  const found: unknown[] = [];
  held.forEachOf(uid(2), (id) => found.push(id));
  expect(found).toEqual([at(2)]);
  const all = together.map(({ address }) => realServerAt({ address, port: 8080 }, serving));
  expect(held.holdsOnly(all)).toBe(true);
  expect(held.holdsOnly(all.slice(1))).toBe(false);
  expect(held.holdsOnly([realServerAt(at(1), draining), ...all.slice(1)])).toBe(false);
});

test.each(cases)('one of %d that were added together changes, and no other', (count) => {
  const together = podAddresses(count);
  held.recordAlike(together, { port: 8080, state: serving });
  const others = lines().slice(3);
  held.record(realServerAt(at(1), draining), uid(7));
  held.recordPod(at(2), uid(8));
  held.delete(at(3));
  held.recordPod(at(99), uid(9)); // not held
  held.delete(at(99));
  expect(lines()).toEqual([
    `${at(1).address}:8080 0 ${uid(7)}`,
    `${at(2).address}:8080 1 ${uid(8)}`,
    ...others,
  ]);
  expect(together).toEqual(podAddresses(count));
});

test.each(cases)('each of %d is visited once, whatever a visit changes', (count) => {
  const unknown = podAddresses(count).map((one) => ({ ...one, podUid: unknownPod }));
  held.recordAlike(unknown, { port: 8080, state: serving });
  const visited: string[] = [];
  held.forEachOf(unknownPod, (id) => {
    visited.push(id.address);
    if (id.address === at(2).address) held.recordPod(id, uid(2));
  });
  expect(visited).toEqual(unknown.map(({ address }) => address));
  held = new HeldRealServerMap();
  held.recordAlike(unknown, { port: 8080, state: serving });
  visited.length = 0;
  for (const [id] of held) {
    visited.push(id.address);
    held.recordPod(id, uid(1));
  }
  expect(visited).toEqual(unknown.map(({ address }) => address));
});

test('others are added to those that are held, with another port, or in another state', () => {
  held.recordAlike(podAddresses(2), { port: 8080, state: serving });
  held.recordAlike(podAddresses(1), { port: 81, state: serving });
  const limited = masqueradedState({ weight: 1, connectionLimit: 4 });
  const [last] = podAddresses(3).slice(2);
  if (last !== undefined) held.recordAlike([last], { port: 8080, state: limited });
  expect(held.size).toBe(4);
  expect(held.get(at(1, 81))?.podUid).toBe(uid(1));
  expect(held.get(at(3))?.state).toEqual(limited);
  for (const id of [at(1), at(2), at(3), at(1, 81)]) held.delete(id);
  expect(lines()).toEqual([]);
  held.recordAlike(podAddresses(1), { port: 82, state: serving });
  expect([held.has(at(1, 82)), held.has(at(1))]).toEqual([true, false]);
});

test('those that were added together in another state than the usual one are held in that', () => {
  const limited = masqueradedState({ weight: 1, connectionLimit: 4 });
  held.recordAlike(podAddresses(2), { port: 8080, state: limited });
  expect(held.get(at(2))).toEqual({ podUid: uid(2), state: limited });
});

test('one that is held for any pod is held for none in particular', () => {
  const [one] = podAddresses(1);
  if (one !== undefined)
    held.recordAlike([{ ...one, podUid: anyPod }], { port: 8080, state: serving });
  expect(held.podOf(at(1))).toBe(unknownPod);
  held.record(realServerAt(at(1), serving), anyPod);
  expect(held.podOf(at(1))).toBe(unknownPod);
});
