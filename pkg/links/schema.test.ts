import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { capturedMessages, requestDifferences } from '../../test/support/fixture.ts';
import { RecordingConnection } from '../../test/support/recording-connection.ts';
import { decode } from '../wire/codec.ts';
import type { AddressWrite } from './links.ts';
import { NetlinkLinks } from './netlink.ts';
import * as schema from './schema.ts';

// Compares with what `ip` sent and received when it did the same: test/fixtures/links.sh.

const messages = capturedMessages('links');
const link = 'kube-ipvs0';
const addresses = [ip('172.30.0.1'), ip('fd00:172:30::1')] as const;

/** The device, with its index when `ip` was captured. */
const device = { ...schema.anyLink, index: 3, attributes: { name: link, info: { kind: 'dummy' } } };

function write(kind: AddressWrite['kind'], family: 0 | 1) {
  return (links: NetlinkLinks) => links.write([{ kind, link, address: addresses[family] }]);
}

type Row = readonly [
  string,
  number,
  ours: number,
  (links: NetlinkLinks) => unknown,
  readonly string[],
];

const rows: readonly Row[] = [
  // The first one that it sends only finds out what the kernel knows. It ends the kind without a zero byte, which the kernel allows.
  [
    'RTM_NEWLINK',
    1,
    0,
    (links) => links.ensureDummy(link),
    ['ours .info.kind 64756d6d7900', 'theirs .info.kind 64756d6d79'],
  ],
  ['RTM_NEWADDR', 0, 0, write('bindAddress', 0), []],
  ['RTM_NEWADDR', 1, 0, write('bindAddress', 1), []],
  ['RTM_GETADDR', 0, 0, (links) => links.addresses(), []],
  ['RTM_GETADDR', 1, 1, (links) => links.addresses(), []],
  // It also asks for virtual functions: RTEXT_FILTER_VF.
  [
    'RTM_GETLINK',
    0,
    0,
    (links) => links.hasLink(link),
    ['ours .filter 08000000', 'theirs .filter 09000000'],
  ],
  // Without it the address goes whatever its prefix length is.
  ['RTM_DELADDR', 0, 0, write('unbindAddress', 0), ['theirs .address']],
  ['RTM_DELADDR', 1, 0, write('unbindAddress', 1), []],
  // It has looked for the device's number before.
  [
    'RTM_DELLINK',
    0,
    0,
    (links) => links.deleteLink(link),
    [
      'ours .name 6b7562652d697076733000',
      'ours header 00000000000000000000000000000000',
      'theirs header 00000000030000000000000000000000',
    ],
  ],
];

describe('requests are those of the tool but for', () => {
  test.each(rows)(
    '%s, captured for the %ith time',
    async (name, number, ours, ask, differences) => {
      const connection = new RecordingConnection({ RTM_GETLINK: device });
      await ask(new NetlinkLinks(connection.asConnection()));
      expect(requestDifferences(connection.requests, { messages, name, number, ours })).toEqual(
        differences,
      );
    },
  );

  test('no command is left out', () => {
    const names = new Set(rows.map(([name]) => name));
    expect(names).toEqual(
      new Set(
        Object.values([
          schema.newLink,
          schema.deleteLink,
          schema.getLink,
          schema.newAddress,
          schema.deleteAddress,
          schema.getAddress,
        ]).map(({ name }) => name),
      ),
    );
  });
});

/** A request to read is answered with messages of the type that creates the object. */
function answers(type: number): readonly Uint8Array[] {
  return messages
    .filter((message) => !message.isRequest && message.type === type)
    .map(({ payload }) => payload);
}

test('what the kernel listed is read as what was made', () => {
  const links = answers(schema.newLink.type).map((payload) => decode(schema.link, payload));
  const dummy = links.find(({ attributes }) => attributes.name === link);
  expect(dummy?.attributes.info).toEqual({ kind: 'dummy' });
  const listed = answers(schema.newAddress.type)
    .map((payload) => decode(schema.linkAddress, payload))
    .filter(({ index }) => index === dummy?.index)
    .map(({ prefixLength, attributes: { local, address } }) => [local ?? address, prefixLength]);
  expect(listed).toEqual([
    ['172.30.0.1', 32],
    ['fd00:172:30::1', 128],
  ]);
});

test('of an event the device can be decoded without its attributes', () => {
  const [payload = new Uint8Array()] = answers(schema.newAddress.type);
  const { index } = decode(schema.linkAddress, payload);
  expect(decode(schema.linkAddressHeader, payload).index).toBe(index);
});
