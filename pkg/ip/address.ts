/** An IP family, spelled as metrics labels and EndpointSlice address types spell it. */
export type Family = 'IPv4' | 'IPv6';

/** Both families, IPv4 first. */
export const families: readonly Family[] = ['IPv4', 'IPv6'];

declare const brand: unique symbol;

/**
 * An IP address: its canonical text (dotted decimal, or RFC 5952), so that two addresses are equal when
 * `===` says so and an address is a map key as it stands. Made by {@link parseAddress} and
 * {@link addressFromBytes} only. A text that is an IPv4-mapped IPv6 address means its IPv4 address, as in Go's
 * net.IP; in the kernel it is an IPv6 address like others, `::ffff:10.0.0.7`.
 */
export type IpAddress = string & { readonly [brand]: 'IpAddress' };

/**
 * Parses an address; `undefined` if the text is none. Leading zeros in IPv4 octets are decimal, as in the Kubernetes API. Zones
 * (`%eth0`) are refused.
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const word = addressWord(text);
    return word < 0 ? undefined : addressFromWord(word);
  }
  const bytes = parseIPv6(text);
  if (bytes === undefined) return undefined;
  return addressFromBytes(isMapped(bytes) ? bytes.subarray(12) : bytes);
}

/** The family of an address. */
export function familyOf(address: IpAddress): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

/** The number of bits of a family's addresses. */
export function addressBits(family: Family): 32 | 128 {
  return family === 'IPv4' ? 32 : 128;
}

/** The address as bytes in network order: 4 or 16 of them. */
export function addressBytes(address: IpAddress): Uint8Array {
  const word = addressWord(address);
  if (word >= 0) return Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word);
  const bytes = parseIPv6(address);
  if (bytes === undefined) throw new Error(`not an address: ${address}`);
  return bytes;
}

/**
 * An IPv4 address as a number, its first byte the highest: the bytes of {@link addressBytes} without an array. -1 for an IPv6 address and
 * for a text that is no address.
 */
export function addressWord(text: string): number {
  let word = 0;
  let dots = 0;
  let value = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46) {
      if (value < 0 || dots === 3) return -1;
      word = word * 256 + value;
      dots++;
      value = -1;
    } else if (code >= 48 && code <= 57) {
      value = (value < 0 ? 0 : value * 10) + code - 48;
      if (value > 255) return -1;
    } else return -1;
  }
  return value < 0 || dots !== 3 ? -1 : word * 256 + value;
}

/** The inverse of {@link addressWord}. */
export function addressFromWord(word: number): IpAddress {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}` as IpAddress;
}

/** Makes an address from 4 or 16 bytes in network order. Throws a RangeError for any other length. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  if (bytes.length !== 16)
    throw new RangeError(`an address has 4 or 16 bytes, not ${bytes.length}`);
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join('.')}` as IpAddress;
  return printIPv6(bytes) as IpAddress;
}

/** The all-zero address of a family. */
export function unspecified(family: Family): IpAddress {
  return (family === 'IPv4' ? '0.0.0.0' : '::') as IpAddress;
}

/** Whether an address is all zeros, of either family. */
export function isUnspecified(address: IpAddress): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** The other family. */
export function otherFamily(family: Family): Family {
  return family === 'IPv4' ? 'IPv6' : 'IPv4';
}

/** The loopback address of a family. */
export function loopback(family: Family): IpAddress {
  return (family === 'IPv4' ? '127.0.0.1' : '::1') as IpAddress;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** fe80::/10. Upstream treats 169.254.0.0/16 as ordinary node addresses, so that does not count. */
export function isIPv6LinkLocal(address: IpAddress): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

/** `address:port`, with brackets around an IPv6 address. */
export function printHostPort(address: IpAddress, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, index) => {
    bytes[index * 2] = group >> 8;
    bytes[index * 2 + 1] = group & 0xff;
  });
  return bytes;
}

/** The 16-bit groups on one side of `::`. At the very end there may be a dotted quad. */
function groupsOf(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isEnd && index === parts.length - 1 && part.includes('.')) {
      const word = addressWord(part);
      if (word < 0) return undefined;
      groups.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** ::ffff:0:0/96. */
function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0)
  );
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
function printIPv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0));
  const run = longestZeroRun(groups);
  const print = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return print(groups);
  return `${print(groups.slice(0, run.start))}::${print(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
