import { addressFromWord, addressWord, type IpAddress } from '../ip/address.ts';
import { AF_INET, addressFamily } from '../netlink/addresses.ts';
import type { GenericCommand } from '../netlink/generic.ts';
import type { Codec, Decoder } from '../wire/codec.ts';
import type { Reader } from '../wire/reader.ts';
import { StraightReader } from '../wire/straight-reader.ts';
import { listDests } from './commands.ts';
import { forwardingOf, realServerOf } from './convert.ts';
import type { RealServerStatus, VirtualServerId } from './ipvs.ts';
import type { ServiceId } from './schema.ts';

/** The paths of the values of a dest that are read. */
const paths = {
  address: 'dest.address',
  port: 'dest.port',
  family: 'dest.family',
  forwarding: 'dest.forwarding',
  weight: 'dest.weight',
  upperThreshold: 'dest.upperThreshold',
  lowerThreshold: 'dest.lowerThreshold',
  activeConnections: 'dest.activeConnections',
  inactiveConnections: 'dest.inactiveConnections',
  persistentConnections: 'dest.persistentConnections',
  connections: 'dest.statistics.connections',
  incomingPackets: 'dest.statistics.incomingPackets',
  outgoingPackets: 'dest.statistics.outgoingPackets',
  incomingBytes: 'dest.statistics.incomingBytes',
  outgoingBytes: 'dest.statistics.outgoingBytes',
} as const;

/** The command that lists the real servers of a virtual server. The answer of one that is not wanted is `undefined`. */
export type RealServerCommand = GenericCommand<
  { service: ServiceId },
  RealServerStatus | undefined
>;

/** Commands that list the real servers of a virtual server, whose family is that of dests for which the kernel tells none. */
export class RealServerCommands {
  readonly #decoders = new Map<number, RealServerDecoder>();
  readonly #commands = new Map<number, RealServerCommand>();

  /** The one for all real servers of a virtual server. */
  all({ address }: VirtualServerId): RealServerCommand {
    const family = addressFamily(address);
    const known = this.#commands.get(family);
    if (known !== undefined) return known;
    const command = { ...listDests, reply: this.#decoder(family) };
    this.#commands.set(family, command);
    return command;
  }

  /** One for the real servers that have some addresses: the kernel lists all of them, and there may be 10,000. */
  among({ address }: VirtualServerId, addresses: ReadonlySet<IpAddress>): RealServerCommand {
    const decoder = this.#decoder(addressFamily(address));
    return { ...listDests, reply: new WantedDecoder(decoder, addresses) };
  }

  #decoder(family: number): RealServerDecoder {
    const known = this.#decoders.get(family);
    if (known !== undefined) return known;
    const decoder = new RealServerDecoder(family);
    this.#decoders.set(family, decoder);
    return decoder;
  }
}

/** Decodes answers to IPVS_CMD_GET_DEST: IPv4 dests at their fixed offsets, others by the table. */
class RealServerDecoder implements Decoder<RealServerStatus> {
  readonly table: Codec<unknown> = listDests.reply;
  readonly #straight = new StraightReader(listDests.reply, paths);
  readonly #serviceFamily: number;

  constructor(serviceFamily: number) {
    this.#serviceFamily = serviceFamily;
  }

  decode(reader: Reader): RealServerStatus {
    if (this.#isStraight(reader)) return realServerAt(this.#straight);
    const { offset } = reader;
    const { dest } = listDests.reply.decode(reader);
    this.#straight.learn(reader, offset);
    return realServerOf(dest, this.#serviceFamily);
  }

  /** Like {@link decode}; `undefined` for an IPv4 dest at its fixed offsets with another address than these. */
  decodeIf(reader: Reader, words: ReadonlySet<number>): RealServerStatus | undefined {
    if (!this.#isStraight(reader)) return this.decode(reader);
    const straight = this.#straight;
    return words.has(straight.word(straight.places.address)) ? realServerAt(straight) : undefined;
  }

  #isStraight(reader: Reader): boolean {
    const straight = this.#straight;
    if (!straight.matches(reader)) return false;
    const { family } = straight.places;
    const is = straight.has(family) ? straight.number(family) : this.#serviceFamily;
    return is === AF_INET;
  }
}

/** Decodes the dests that have some addresses. Of most others it reads the address, and makes nothing. */
class WantedDecoder implements Decoder<RealServerStatus | undefined> {
  readonly table: Codec<unknown> = listDests.reply;
  readonly #decoder: RealServerDecoder;
  readonly #addresses: ReadonlySet<IpAddress>;
  /** The IPv4 addresses among them. */
  readonly #words = new Set<number>();

  constructor(decoder: RealServerDecoder, addresses: ReadonlySet<IpAddress>) {
    this.#decoder = decoder;
    this.#addresses = addresses;
    for (const address of addresses) this.#words.add(addressWord(address));
  }

  decode(reader: Reader): RealServerStatus | undefined {
    const status = this.#decoder.decodeIf(reader, this.#words);
    return status !== undefined && this.#addresses.has(status.address) ? status : undefined;
  }
}

function realServerAt(straight: StraightReader<keyof typeof paths>): RealServerStatus {
  const { places } = straight;
  return {
    address: addressFromWord(straight.word(places.address)),
    port: straight.number(places.port),
    weight: straight.number(places.weight),
    forwarding: forwardingOf(straight.number(places.forwarding)),
    upperThreshold: straight.number(places.upperThreshold),
    lowerThreshold: straight.number(places.lowerThreshold),
    activeConnections: straight.number(places.activeConnections),
    inactiveConnections: straight.number(places.inactiveConnections),
    persistentConnections: straight.number(places.persistentConnections),
    statistics: {
      connections: straight.bigint(places.connections),
      incomingPackets: straight.bigint(places.incomingPackets),
      outgoingPackets: straight.bigint(places.outgoingPackets),
      incomingBytes: straight.bigint(places.incomingBytes),
      outgoingBytes: straight.bigint(places.outgoingBytes),
    },
  };
}
