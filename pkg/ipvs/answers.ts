import { addressFromWord } from '../ip/address.ts';
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

/** Rows that list the real servers of a virtual server, whose family is that of dests for which the kernel tells none. */
export class RealServerRows {
  readonly #rows = new Map<number, GenericCommand<{ service: ServiceId }, RealServerStatus>>();

  /** The row for a virtual server. */
  of({ address }: VirtualServerId): GenericCommand<{ service: ServiceId }, RealServerStatus> {
    const family = addressFamily(address);
    const known = this.#rows.get(family);
    if (known !== undefined) return known;
    const row = { ...listDests, reply: new RealServerDecoder(family) };
    this.#rows.set(family, row);
    return row;
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
    const straight = this.#straight;
    if (straight.matches(reader)) {
      const { places } = straight;
      const family = straight.has(places.family)
        ? straight.number(places.family)
        : this.#serviceFamily;
      if (family === AF_INET) return realServerAt(straight);
    }
    const { offset } = reader;
    const { dest } = listDests.reply.decode(reader);
    straight.learn(reader, offset);
    return realServerOf(dest, this.#serviceFamily);
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
