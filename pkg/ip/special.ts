import { familyOf, type IpAddress } from './address.ts';

/** Why no Service and no endpoint can have an address. */
export type SpecialAddress = 'unspecified' | 'loopback' | 'link-local' | 'multicast' | 'broadcast';

/** Why no packet is routed to an address; `undefined` for an ordinary one. */
export function specialAddress(address: IpAddress): SpecialAddress | undefined {
  return familyOf(address) === 'IPv4' ? specialIPv4(address) : specialIPv6(address);
}

function specialIPv4(address: IpAddress): SpecialAddress | undefined {
  if (address === '0.0.0.0') return 'unspecified';
  if (address === '255.255.255.255') return 'broadcast';
  if (address.startsWith('127.')) return 'loopback';
  if (address.startsWith('169.254.')) return 'link-local';
  const first = Number.parseInt(address, 10);
  return first >= 224 && first <= 239 ? 'multicast' : undefined;
}

function specialIPv6(address: IpAddress): SpecialAddress | undefined {
  if (address === '::') return 'unspecified';
  if (address === '::1') return 'loopback';
  // The canonical text has no leading zeros, so four digits are 0x1000 and above.
  if (/^fe[89ab][0-9a-f]:/.test(address)) return 'link-local';
  return /^ff[0-9a-f]{2}:/.test(address) ? 'multicast' : undefined;
}
