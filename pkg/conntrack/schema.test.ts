import { describe, expect, test } from 'vitest';
import { capturedMessages } from '../../test/support/fixture.ts';
import { decode, encode } from '../wire/codec.ts';
import { commands } from './schema.ts';

const messages = capturedMessages('conntrack');

/** The conntrack tool made flows too, without a status. */
function isOurs(payload: Uint8Array): boolean {
  return decode(commands.add.reply, payload).body.status !== undefined;
}

describe.each(Object.entries(commands))('%s', (_, command) => {
  const requests = messages.filter(
    ({ type, isRequest, payload }) =>
      isRequest && type === command.type && (command !== commands.add || isOurs(payload)),
  );

  test('is among the captured messages', () => {
    expect(requests.length).toBeGreaterThan(0);
  });

  test('is encoded to the bytes that the kernel took', () => {
    for (const { payload } of requests) {
      // The commands of the table differ in their types, which only this test mixes.
      const codec = command.request as Parameters<typeof encode>[0];
      expect(encode(codec, decode(codec, payload))).toEqual(payload);
    }
  });
});

test('what the kernel dumped is read as what was inserted', () => {
  // The kernel answers a get with messages of the type that makes a flow.
  const replies = messages.filter(({ type, isRequest }) => !isRequest && type === 0x100);
  const flows = replies.map(({ payload }) => decode(commands.get.reply, payload).body);
  expect(flows).toMatchObject([
    {
      original: {
        ip: { v4Source: '10.0.0.7', v4Destination: '172.30.0.1' },
        transport: { protocol: 6, sourcePort: 1024, destinationPort: 443 },
      },
      reply: {
        ip: { v4Source: '172.30.0.1', v4Destination: '10.0.0.7' },
        transport: { protocol: 6, sourcePort: 443, destinationPort: 1024 },
      },
      state: { tcp: { state: 3 } },
      mark: 0,
      zone: 7,
      id: expect.any(Number),
    },
    {
      original: {
        ip: { v6Source: 'fd00:10::7', v6Destination: 'fd00:172:30::a' },
        transport: { protocol: 17, sourcePort: 1024, destinationPort: 53 },
      },
      reply: {
        ip: { v6Source: 'fd00:10::8', v6Destination: 'fd00:10::7' },
        transport: { protocol: 17, sourcePort: 5353, destinationPort: 1024 },
      },
      mark: 0x4000,
    },
  ]);
});
