import { expect } from 'vitest';
import { Hammer } from './hammer.ts';
import type { Host } from './network/network.ts';
import { Stream } from './stream.ts';
import { type Kind, kinds, type Target, table } from './traffic.ts';

// Clients that must not notice what is done to a node: connections that stay, and new ones without pause.

/** From a host to a Service. */
export type Way = readonly [Host, Target];

/** Opens a connection of each kind each way. */
export function openStreams(
  ways: readonly Way[],
  some: readonly Kind[] = kinds,
): Promise<readonly Stream[]> {
  return Promise.all(
    ways.flatMap(([host, { addresses, port }]) =>
      some.map(({ protocol, family }) =>
        Stream.open(host, { protocol, address: addresses[family], port }),
      ),
    ),
  );
}

/** Expects that nothing goes wrong with connections in their next exchanges. */
export async function expectAlive(...streams: readonly Stream[]): Promise<void> {
  const ended = await Promise.all(
    streams.map(async (stream) => `${stream.name}: ${(await stream.next(2)) ?? 'unharmed'}`),
  );
  expect(ended).toEqual(streams.map(({ name }) => `${name}: unharmed`));
}

/** Does something while clients connect each way without pause, and expects that each of them is answered, before and after too. */
export async function underLoad(
  ways: readonly Way[],
  work: () => Promise<void> | void,
  some: readonly Kind[] = kinds,
): Promise<void> {
  const hammers = ways.map(
    ([host, target]) => new Hammer(host, { ...target, kinds: some, patience: 30_000 }),
  );
  try {
    await Promise.all(hammers.map((hammer) => hammer.next(1)));
    await work();
    await Promise.all(hammers.map((hammer) => hammer.next(1)));
  } finally {
    await Promise.all(hammers.map((hammer) => hammer.stop()));
  }
  expect(hammers.map((hammer) => hammer.failures())).toEqual(
    hammers.map(() => table(() => [], some)),
  );
}
