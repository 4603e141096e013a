import { expect, test } from 'vitest';
import { AddressChanges } from './changes.ts';

/** Changes whose callbacks are counted, and a device whose index can be set. */
function counted(index: number | undefined) {
  const state = { index, asked: 0, reported: 0 };
  const changes = new AddressChanges(
    () => {
      state.asked++;
      return state.index;
    },
    () => {
      state.reported++;
    },
  );
  return { changes, state };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('events of several devices in one turn are reported once', async () => {
  const { changes, state } = counted(7);
  for (const index of [1, 2, 7, 1]) changes.on(index);
  expect(state.reported).toBe(0);
  await turn();
  expect(state.reported).toBe(1);
});

test('the excepted device is asked for once, however many events it has', async () => {
  const { changes, state } = counted(7);
  changes.on(7);
  await turn();
  for (let count = 0; count < 100; count++) changes.on(7);
  await turn();
  expect(state).toEqual({ index: 7, asked: 1, reported: 0 });
});

test('a device that was made anew is still excepted', async () => {
  const { changes, state } = counted(7);
  changes.on(7);
  await turn();
  state.index = 8;
  changes.on(8);
  await turn();
  expect(state.reported).toBe(0);
  changes.on(7);
  await turn();
  expect(state.reported).toBe(1);
});

test('without the excepted device every event counts', async () => {
  const { changes, state } = counted(undefined);
  changes.on(7);
  await turn();
  expect(state.reported).toBe(1);
});

test('lost events are reported, once', async () => {
  const { changes, state } = counted(7);
  changes.onLost();
  changes.onLost();
  await turn();
  await turn();
  expect(state.reported).toBe(1);
});

test('after closing nothing is reported', async () => {
  const { changes, state } = counted(7);
  changes.on(1);
  changes.close();
  await turn();
  expect(state.reported).toBe(0);
});
