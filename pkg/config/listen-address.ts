import { type IpAddress, parseAddress } from '../ip/address.ts';

/** The address and port of a server. */
export interface ListenAddress {
  readonly address: IpAddress;
  readonly port: number;
}

/** A parsed address, or what is wrong with it. */
export type ListenAddressResult =
  | { readonly address: ListenAddress }
  | { readonly problem: string };

/** Parses `address:port`, `[IPv6]:port`, or an address alone, which gets the default port. */
export function parseListenAddress(text: string, defaultPort: number): ListenAddressResult {
  const bare = parseAddress(text);
  if (bare !== undefined) return { address: { address: bare, port: defaultPort } };
  const [, bracketed, plain, port = ''] = /^(?:\[(.*)\]|([^:[\]]*)):(.*)$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return { problem: 'must be IP:port' };
  // Without a host it is every address, as in Go.
  const address = parseAddress(host === '' && bracketed === undefined ? '0.0.0.0' : host);
  if (address === undefined) return { problem: 'must be a valid IP' };
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) return { problem: 'must be a valid port' };
  return { address: { address, port: number } };
}
