import { expect, test } from 'vitest';
import { attributes, optional, repeated, required } from '../wire/attributes.ts';
import { bytes, cstring, padding, u8, u16be, u64 } from '../wire/codec.ts';
import { mapped, prefixed, struct } from '../wire/struct.ts';
import type { Command } from './message.ts';
import { printTraceEvent, type TraceEvent } from './trace.ts';

const part = attributes('PART', { port: required(1, u16be), label: optional(2, cstring) });
const payload = prefixed(
  [1, 2],
  struct({
    family: u8,
    gap: padding(3),
    body: attributes('WHOLE', {
      parts: repeated(1, part),
      blob: optional(2, bytes),
      count: optional(3, u64),
    }),
  }),
);
const seconds = mapped(u8, {
  decode: (count) => `${count} s`,
  encode: (text: string) => Number.parseInt(text, 10),
});
const command = { name: 'ASK', type: 20, flags: 0, request: payload, reply: seconds };

test.each<[string, Pick<TraceEvent, 'kind'> & Record<string, unknown>, string]>([
  [
    'a request',
    {
      kind: 'request',
      value: {
        family: 2,
        body: {
          parts: [{ port: 80, label: 'a"b' }, { port: 81 }],
          blob: Uint8Array.of(1, 255),
          count: 7n,
        },
      },
    },
    '> ASK #3 {family: 2, body: WHOLE {parts: PART {port: 80, label: "a\\"b"}, parts: PART {port: 81}, blob: 01ff, count: 7}}',
  ],
  ['a reply', { kind: 'reply', value: '10 s' }, '< ASK #3 10 s'],
  [
    'an acknowledgement',
    { kind: 'error', reply: { errno: 0, detail: '', echo: new Uint8Array(0) } },
    '< #3 ok',
  ],
  [
    'a refusal',
    { kind: 'error', reply: { errno: 2, detail: 'no such thing', echo: new Uint8Array(0) } },
    '< #3 ENOENT (no such thing)',
  ],
])('%s is one line in the words of the schema', (_, event, line) => {
  const whole = { ...event, sequence: 3, command: command as Command<unknown, unknown> };
  expect(printTraceEvent(whole as unknown as TraceEvent)).toBe(line);
});
