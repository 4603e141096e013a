import { expect, test } from 'vitest';
import { translatedFlow } from '../../../test/contract/conntrack.ts';
import { ip } from '../../../test/support/addresses.ts';
import { type Cleanup, noCleanup, printCleanup } from './cleanup.ts';

const flow = { ...translatedFlow('10.0.0.1'), id: undefined, status: 0 };
const client = ip('10.0.9.9');
const server = ip('172.30.0.1');
const connection = { client, clientPort: 1024, server, serverPort: 80 };
const waiting = [{ flow, isTracked: true }];

test.each<[string, Partial<Cleanup>]>([
  ['', {}],
  ['closes 1 connection', { closing: [connection] }],
  ['deletes 2 flows', { flows: [flow, flow] }],
  [
    'closes 2 connections, resets 1 client',
    { closing: [connection, connection], clients: { count: 1, waiting, missing: 0 } },
  ],
  // They were only counted.
  ['', { clients: { count: 3, waiting: [], missing: 0 } }],
])('what is done around a deletion in words: "%s"', (words, over) => {
  expect(printCleanup({ ...noCleanup, ...over })).toBe(words);
});
