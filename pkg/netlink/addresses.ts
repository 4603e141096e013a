import {
  addressBytes,
  addressFromBytes,
  addressWord,
  type Family,
  familyOf,
  type IpAddress,
  unspecified,
} from '../ip/address.ts';
import { bytesOf } from '../wire/codec.ts';
import { mapped } from '../wire/struct.ts';
import type { Place, Template, Variable } from '../wire/template.ts';

/** AF_INET and AF_INET6 of linux/socket.h, NFPROTO_IPV4 and NFPROTO_IPV6 too. */
export const AF_INET = 2;
export const AF_INET6 = 10;

/** 4 or 16 bytes in network order: the length is the family. */
export const ipAddress = mapped(bytesOf(4, 16), { decode: addressFromBytes, encode: addressBytes });

/** 4 bytes in network order. */
export const ipv4Address = mapped(bytesOf(4), { decode: addressFromBytes, encode: addressBytes });

/** 16 bytes in network order. */
export const ipv6Address = mapped(bytesOf(16), { decode: addressFromBytes, encode: addressBytes });

/** The AF_* of an address. */
export function addressFamily(address: IpAddress): typeof AF_INET | typeof AF_INET6 {
  return familyOf(address) === 'IPv4' ? AF_INET : AF_INET6;
}

/** A variable for an address of one family in a template, for {@link setAddress}. */
export function addressVariable(path: readonly string[], family: Family): Variable {
  const ones = new Uint8Array(family === 'IPv4' ? 4 : 16).fill(0xff);
  return { path, low: unspecified(family), high: addressFromBytes(ones) };
}

/**
 * Sets an address in a template, of the family that the template was made for. Its place may be a `union nf_inet_addr` of 16 bytes,
 * whose rest is zero for IPv4.
 */
export function setAddress(template: Template, place: Place, address: IpAddress): void {
  const word = addressWord(address);
  if (word >= 0) template.setWord(place, word);
  else template.setBytes(place, addressBytes(address));
}
