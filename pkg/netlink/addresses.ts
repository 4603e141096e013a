import { addressBytes, addressFromBytes, familyOf, type IpAddress } from '../ip/address.ts';
import { bytesOf } from '../wire/codec.ts';
import { mapped } from '../wire/struct.ts';

/** AF_INET and AF_INET6 of linux/socket.h, NFPROTO_IPV4 and NFPROTO_IPV6 too. */
export const AF_INET = 2;
/** See {@link AF_INET}. */
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
