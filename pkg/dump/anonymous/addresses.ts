import { createHash } from 'node:crypto';
import {
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
  type IpAddress,
} from '../../ip/address.ts';
import { contains, type Prefix, parsePrefix, prefix } from '../../ip/prefix.ts';

/** A network that keeps its place, so that what is special about it stays. */
interface Pin {
  readonly network: Prefix;
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Whether the addresses inside stay too. */
  readonly isWhole: boolean;
}

const pins: Readonly<Record<Family, readonly Pin[]>> = {
  IPv4: [
    pin('0.0.0.0/8', { isWhole: true }),
    pin('127.0.0.0/8', { isWhole: true }),
    pin('169.254.0.0/16', { isWhole: false }),
    pin('224.0.0.0/3', { isWhole: true }),
  ],
  IPv6: [
    pin('::/127', { isWhole: true }),
    pin('fe80::/64', { isWhole: false }),
    pin('ff00::/8', { isWhole: false }),
    pin('ff02::/120', { isWhole: true }),
  ],
};

function pin(text: string, { isWhole }: { readonly isWhole: boolean }): Pin {
  const network = parsePrefix(text);
  if (network === undefined) throw new Error(`no network: ${text}`);
  return {
    network,
    bytes: addressBytes(network.address),
    length: network.length,
    isWhole,
  };
}

/** Whether a network is replaced by itself, whatever the key: it is special, or around something that is. */
export function staysInPlace({ address, length }: Prefix): boolean {
  const around = prefix(address, Math.max(0, length - 1));
  return pins[familyOf(address)].some(
    (one) =>
      length === 0 ||
      (one.isWhole && length >= one.length && contains(one.network, address)) ||
      (one.length > around.length && contains(around, one.network.address)),
  );
}

/** How many parts of the tree are kept. */
const keptLimit = 100_000;

/**
 * Replaces addresses so that two of them have as many leading bits in common as before: networks contain the same addresses. Which
 * address stands for which follows from the key alone, and cannot be found without it (as in Crypto-PAn).
 *
 * Addresses are leaves of a binary tree. At each of its inner nodes, the key says whether the two sides are exchanged. On the way to a
 * network that keeps its place none are. The nodes of one byte are one hash: that of the bytes before.
 */
export class AddressReplacer {
  readonly #key: Uint8Array;
  readonly #exchanged = new Map<string, Uint8Array>();

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  address(address: IpAddress): IpAddress {
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
    // An IPv4 address in an IPv6 one is replaced as it is by itself. The text is one of an address, as it was part of one.
    if (mapped !== undefined) return `::ffff:${this.address(mapped as IpAddress)}` as IpAddress;
    const family = familyOf(address);
    const bytes = addressBytes(address);
    return addressFromBytes(
      bytes.map((byte, index) => replaced(byte, this.#nodes(bytes.subarray(0, index), family))),
    );
  }

  network({ address, length }: Prefix): Prefix {
    return prefix(this.address(address), length);
  }

  /** For each inner node below some bytes, down to the next byte, a bit: whether its sides are exchanged. */
  #nodes(before: Uint8Array, family: Family): Uint8Array {
    const at = `${family} ${before.join('.')}`;
    const known = this.#exchanged.get(at);
    if (known !== undefined) return known;
    if (this.#exchanged.size >= keptLimit) this.#exchanged.clear();
    const nodes = new Uint8Array(createHash('sha256').update(this.#key).update(at).digest());
    for (const one of pins[family]) keepInPlace(nodes, before, one);
    this.#exchanged.set(at, nodes);
    return nodes;
  }
}

/** The node of a byte that its first bits lead to. */
function nodeOf(depth: number, bits: number): number {
  return (1 << depth) | bits;
}

function replaced(byte: number, nodes: Uint8Array): number {
  let result = 0;
  for (let depth = 0; depth < 8; depth++) {
    const node = nodeOf(depth, byte >> (8 - depth));
    const isExchanged = ((nodes[node >> 3] ?? 0) >> (node & 7)) & 1;
    result = (result << 1) | (((byte >> (7 - depth)) & 1) ^ isExchanged);
  }
  return result;
}

/** Exchanges no sides on the way to a network, nor, if it stays as a whole, inside. */
function keepInPlace(nodes: Uint8Array, before: Uint8Array, { bytes, length, isWhole }: Pin): void {
  const start = before.length * 8;
  const isOnWay = before.every((byte, index) => {
    const rest = Math.min(8, Math.max(0, length - index * 8));
    return byte >> (8 - rest) === (bytes[index] ?? 0) >> (8 - rest);
  });
  if (!isOnWay) return;
  const own = bytes[before.length] ?? 0;
  for (let depth = 0; depth < 8; depth++) {
    const isInside = start + depth >= length;
    if (isInside && !isWhole) return;
    const fixed = Math.min(depth, Math.max(0, length - start));
    const first = (own >> (8 - fixed)) << (depth - fixed);
    for (let bits = first; bits < first + (1 << (depth - fixed)); bits++) {
      const node = nodeOf(depth, bits);
      nodes[node >> 3] = (nodes[node >> 3] ?? 0) & ~(1 << (node & 7));
    }
  }
}
