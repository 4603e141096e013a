import { type IpAddress, parseAddress } from '../../pkg/ip/address.ts';
import { type Prefix, parsePrefix } from '../../pkg/ip/prefix.ts';

// The network of an address in a test shows what it is: pods are 10.0.0.0/8 and fd00:10::/32, services 172.30.0.0/16 and
// fd00:172:30::/112, nodes 192.168.0.0/24 and fd00:192:168::/64, clients outside 203.0.113.0/24 and 2001:db8:203:113::/64.

/** The address that a text means; throws if it means none. */
export function ip(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** The network that a text means; throws if it means none. */
export function net(text: string): Prefix {
  const network = parsePrefix(text);
  if (network === undefined) throw new Error(`not a network: ${text}`);
  return network;
}
