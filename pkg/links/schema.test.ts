import { describe, expect, test } from 'vitest';
import { capturedMessages } from '../../test/support/fixture.ts';
import { decode, encode } from '../wire/codec.ts';
import * as schema from './schema.ts';

const messages = capturedMessages('links');

const commands = [
  schema.newLink,
  schema.deleteLink,
  schema.getLink,
  schema.newAddress,
  schema.deleteAddress,
  schema.getAddress,
];

describe.each(commands)('$name', ({ type, request }) => {
  const requests = messages.filter((message) => message.isRequest && message.type === type);

  test('is among the captured messages', () => {
    expect(requests.length).toBeGreaterThan(0);
  });

  test('is encoded to the bytes that the kernel took', () => {
    for (const { payload } of requests) {
      // The commands of the table differ in their codecs, which only this test mixes.
      const codec = request as Parameters<typeof encode>[0];
      expect(encode(codec, decode(codec, payload))).toEqual(payload);
    }
  });
});

/** What the kernel answers a request to read with is a message to create, by its number. */
function answers(type: number): readonly Uint8Array[] {
  return messages
    .filter((message) => !message.isRequest && message.type === type)
    .map(({ payload }) => payload);
}

test('what the kernel listed is read as what was made', () => {
  const links = answers(schema.newLink.type).map((payload) => decode(schema.link, payload));
  const dummy = links.find(({ attributes }) => attributes.name === 'kube-ipvs0');
  expect(dummy?.attributes.info).toEqual({ kind: 'dummy' });
  const addresses = answers(schema.newAddress.type)
    .map((payload) => decode(schema.linkAddress, payload))
    .filter(({ index }) => index === dummy?.index)
    .map(({ prefixLength, attributes: { local, address } }) => [local ?? address, prefixLength]);
  expect(addresses).toEqual([
    ['172.30.0.1', 32],
    ['fd00:172:30::1', 128],
  ]);
});

test('of an event the device can be told without its attributes', () => {
  const [payload = new Uint8Array()] = answers(schema.newAddress.type);
  const { index } = decode(schema.linkAddress, payload);
  expect(decode(schema.linkAddressHeader, payload).index).toBe(index);
});
