import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { openReader, type ReaderOptions } from './open-reader.ts';

/** The files and sockets that this process holds. */
function held(): number {
  return readdirSync('/proc/self/fd').length;
}

test('what was opened is closed when something after it cannot be opened', () => {
  let opened = 0;
  const open: ReaderOptions['open'] = (protocol, options) => {
    if (options?.strict === true) throw new Error('too many open files');
    opened++;
    return openConnection(protocol, options);
  };
  const before = held();
  expect(() => openReader({ open })).toThrow('too many open files');
  expect(opened).toBe(1);
  expect(held()).toBe(before);
});

test('an open reader keeps its connections until it is closed', () => {
  const before = held();
  const reader = openReader();
  expect(held()).toBeGreaterThan(before);
  reader.close();
  expect(held()).toBe(before);
});
