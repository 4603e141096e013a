import { expect, test } from 'vitest';
import type { Entry } from '../../ipset/ipset.ts';
import { recordingLogger } from '../../log/memory.ts';
import { Mutex } from '../../runner/mutex.ts';
import { Keys } from '../desired/keys.ts';
import { setHeader } from '../desired/sets.ts';
import type { Operation } from '../plan/operation.ts';
import { SetGrowth } from './set-growth.ts';
import { SetReplacer } from './set-replacer.ts';

// A set of 65,536 entries that grows: no stretch of the work is as long as the set, and the event loop turns in between.

const { name } = setHeader('clusterIp', 'IPv4', 65_536);
const count = 65_536;

function entryOf(number: number): Entry {
  const address = `10.${number >> 16}.${(number >> 8) & 0xff}.${number & 0xff}`;
  return { type: 'hash:ip,port', ip: address as never, protocol: 'TCP', port: 80 };
}

test('a set grows in pieces, each made when its turn comes', async () => {
  let made = 0;
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  // More than a turn of the event loop may last passes whenever somebody looks at the clock.
  let time = 0;
  const now = () => (time += 1);
  function* entries() {
    for (let number = 0; number < count; number++, made++) yield entryOf(number);
  }
  const pieces: { readonly operations: number; readonly madeBefore: number }[] = [];
  const kinds = new Map<Operation['kind'], number>();
  let before = 0;
  const applier = {
    apply(operations: readonly Operation[]) {
      pieces.push({ operations: operations.length, madeBefore: made - before });
      before = made;
      for (const { kind } of operations) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      return Promise.resolve([]);
    },
  };
  const ledger = { entries, wantsEntry: () => true, ruleContent: () => undefined as never };
  const log = recordingLogger();
  const replacer = new SetReplacer({ applier, ledger, log, now });
  const held = new Map(
    Array.from({ length: count }, (_, number) => [String(number), entryOf(number)]),
  );
  const mirror = { setSize: () => count, sets: new Map([[name, held]]) } as never;
  const growth = new SetGrowth({ ledger, mirror, replacer, now });
  const keys = new Keys();
  keys.addEntry(name, { key: 'one more', entry: entryOf(count) } as never);
  setImmediate(turn);
  await new Mutex().run((token) => growth.makeRoom(keys, token));
  isOver = true;
  expect(Object.fromEntries(kinds)).toEqual({
    createSet: 1,
    addEntry: count,
    swapSets: 1,
    destroySet: 1,
  });
  expect(Math.max(...pieces.map(({ operations }) => operations))).toBeLessThanOrEqual(1024);
  expect(Math.max(...pieces.map(({ madeBefore }) => madeBefore))).toBeLessThanOrEqual(1024);
  // Once for each eight entries that are judged, and once for each piece at most.
  expect(turns).toBeGreaterThan(count / 16);
});
