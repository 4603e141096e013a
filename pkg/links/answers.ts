import { addressFromWord, type IpAddress } from '../ip/address.ts';
import type { Command } from '../netlink/message.ts';
import type { Codec, Decoder, ValueOf } from '../wire/codec.ts';
import type { Reader } from '../wire/reader.ts';
import { StraightReader } from '../wire/straight-reader.ts';
import { getAddress, linkAddress } from './schema.ts';

/** One address of a device; `undefined` if the kernel's message has none that is understood. */
export interface FoundAddress {
  readonly index: number;
  readonly prefixLength: number;
  readonly address: IpAddress | undefined;
}

/** The command that lists addresses, for one connection. */
export function listAddresses(): Command<ValueOf<typeof linkAddress>, FoundAddress> {
  return { ...getAddress, reply: new AddressDecoder() };
}

const paths = {
  index: 'index',
  prefixLength: 'prefixLength',
  address: 'attributes.address',
  local: 'attributes.local',
} as const;

const ipv4Length = 4;

/** Decodes answers to RTM_GETADDR: IPv4 addresses at their fixed offsets, others by the table. */
class AddressDecoder implements Decoder<FoundAddress> {
  readonly table: Codec<unknown> = linkAddress;
  readonly #straight = new StraightReader(linkAddress, paths);

  decode(reader: Reader): FoundAddress {
    const straight = this.#straight;
    if (straight.matches(reader)) {
      const { index, prefixLength, address, local } = straight.places;
      const place = straight.has(local) ? local : address;
      if (place.length === ipv4Length) {
        return {
          index: straight.number(index),
          prefixLength: straight.number(prefixLength),
          address: addressFromWord(straight.word(place)),
        };
      }
    }
    const { offset } = reader;
    const { index, prefixLength, attributes } = linkAddress.decode(reader);
    straight.learn(reader, offset);
    return { index, prefixLength, address: attributes.local ?? attributes.address };
  }
}
