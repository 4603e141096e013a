import {
  addressBits,
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
  type IpAddress,
  parseAddress,
} from './address.ts';

/** A network: its first address and its number of leading bits. */
export interface Prefix {
  readonly address: IpAddress;
  readonly length: number;
}

/** Parses a CIDR and clears its host bits; `undefined` if the text is none. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,3}$/.test(digits)) return undefined;
  const length = Number(digits);
  return length > addressBits(familyOf(address)) ? undefined : prefix(address, length);
}

/** The network of `length` bits that contains an address. */
export function prefix(address: IpAddress, length: number): Prefix {
  const bytes = addressBytes(address);
  for (let index = 0; index < bytes.length; index++) {
    const kept = Math.min(8, Math.max(0, length - index * 8));
    bytes[index] = (bytes[index] ?? 0) & (0xff << (8 - kept));
  }
  return { address: addressFromBytes(bytes), length };
}

/** The family of a network. */
export function prefixFamily({ address }: Prefix): Family {
  return familyOf(address);
}

/** `10.0.0.0/8`. */
export function printPrefix({ address, length }: Prefix): string {
  return `${address}/${length}`;
}

/** Whether a network contains an address. False if their families differ. */
export function contains(network: Prefix, address: IpAddress): boolean {
  if (familyOf(network.address) !== familyOf(address)) return false;
  return network.length === 0 || prefix(address, network.length).address === network.address;
}

/** Whether two networks have addresses in common. */
export function overlap(one: Prefix, other: Prefix): boolean {
  return contains(one, other.address) || contains(other, one.address);
}

/** The network of a single address. */
export function single(address: IpAddress): Prefix {
  return { address, length: addressBits(familyOf(address)) };
}

/** Whether a network is a single address. */
export function isSingle({ address, length }: Prefix): boolean {
  return length === addressBits(familyOf(address));
}

/** The two halves of a network. Throws for one that is a single address. */
export function splitPrefix({ address, length }: Prefix): readonly [Prefix, Prefix] {
  const bytes = addressBytes(address);
  const at = length >> 3;
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError(`${address}/${length} has no halves`);
  bytes[at] = byte | (0x80 >> (length & 7));
  const upper = addressFromBytes(bytes);
  return [
    { address, length: length + 1 },
    { address: upper, length: length + 1 },
  ];
}
