import { addressFromWord } from '../ip/address.ts';
import type { Command } from '../netlink/message.ts';
import type { NetfilterMessage } from '../netlink/netfilter.ts';
import { eachAttribute } from '../wire/attributes.ts';
import type { Codec, Decoder, ValueOf } from '../wire/codec.ts';
import { DecodeError, Reader } from '../wire/reader.ts';
import { StraightReader } from '../wire/straight-reader.ts';
import { commands } from './commands.ts';
import { fromEntryData, setType } from './convert.ts';
import type { Entry, SetHeader } from './ipset.ts';
import { entryData, IPSET_ATTR_DATA } from './schema.ts';

/** The paths of the values of an entry that are read. */
const paths = {
  ip: 'ip.ipv4',
  ipv6: 'ip.ipv6',
  port: 'port',
  protocol: 'protocol',
  flags: 'flags',
  ip2: 'ip2.ipv4',
  ip2v6: 'ip2.ipv6',
  prefixLength2: 'prefixLength2',
} as const;

type ListRequest = ValueOf<typeof commands.list.request>;

/** Decodes the entries of sets: IPv4 ones at their fixed offsets, others by the table. */
export class EntryLister {
  /** By the type of set: entries of a type have one layout. */
  readonly #readers = new Map<SetHeader['type'], StraightReader<keyof typeof paths>>();

  /** The command for one dump of a set. Its first answer has the set's type, which counts for all entries. */
  row(): Command<ListRequest, readonly Entry[]> {
    return { ...commands.rawList, reply: new PartDecoder(this) };
  }

  /** The entries of a list, without those that {@link Entry} cannot represent: none of a type that is not known. */
  read(type: SetHeader['type'] | undefined, list: Uint8Array): readonly Entry[] {
    const reader = new Reader(list);
    const straight = type === undefined ? undefined : this.#readerOf(type);
    const entries: Entry[] = [];
    eachAttribute(reader, IPSET_ATTR_DATA, () => {
      if (type === undefined || straight === undefined) {
        // Read nevertheless: what is no entry is an error, and not nothing.
        entryData.decode(reader);
        return;
      }
      const entry = fromEntryData(type, dataOf(reader, straight));
      if (entry !== undefined) entries.push(entry);
    });
    return entries;
  }

  #readerOf(type: SetHeader['type']): StraightReader<keyof typeof paths> {
    const known = this.#readers.get(type);
    if (known !== undefined) return known;
    const straight = new StraightReader(entryData, paths);
    this.#readers.set(type, straight);
    return straight;
  }
}

/** Decodes the answers of one dump. */
class PartDecoder implements Decoder<readonly Entry[]> {
  readonly table: Codec<unknown> = commands.list.reply;
  readonly #lister: EntryLister;
  #type: SetHeader['type'] | undefined;

  constructor(lister: EntryLister) {
    this.#lister = lister;
  }

  decode(reader: Reader): readonly Entry[] {
    const { body }: NetfilterMessage<{ type?: string | undefined; lists: readonly Uint8Array[] }> =
      commands.rawList.reply.decode(reader);
    this.#type = setType(body.type) ?? this.#type;
    let entries: readonly Entry[] = [];
    try {
      // The kernel sends one. Each is looked at, so that what is no list is an error.
      for (const list of body.lists) entries = this.#lister.read(this.#type, list);
      return entries;
    } catch (error) {
      throw error instanceof DecodeError ? error.within('IPSET_ATTR_ADT.entries') : error;
    }
  }
}

/** The values of the entry at the reader. */
function dataOf(
  reader: Reader,
  straight: StraightReader<keyof typeof paths>,
): ValueOf<typeof entryData> {
  const { places } = straight;
  const isRead =
    straight.matches(reader) && !straight.has(places.ipv6) && !straight.has(places.ip2v6);
  if (!isRead) {
    const { offset } = reader;
    const data = entryData.decode(reader);
    straight.learn(reader, offset);
    return data;
  }
  const number = (place: (typeof places)[keyof typeof places]) =>
    straight.has(place) ? straight.number(place) : undefined;
  return {
    ip: straight.has(places.ip) ? addressFromWord(straight.word(places.ip)) : undefined,
    port: number(places.port),
    protocol: number(places.protocol),
    flags: number(places.flags),
    ip2: straight.has(places.ip2) ? addressFromWord(straight.word(places.ip2)) : undefined,
    prefixLength2: number(places.prefixLength2),
  };
}
