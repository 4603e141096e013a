import { addressBits, familyOf, type IpAddress } from '../../pkg/ip/address.ts';
import type { VirtualServer } from '../../pkg/ipvs/ipvs.ts';

/** The virtual server of an address: port 80/TCP, `rr`, no flags, no persistence, unless said otherwise. */
export function virtualServerOf(
  address: IpAddress,
  over: Partial<VirtualServer> = {},
): VirtualServer {
  return {
    address,
    protocol: 'TCP',
    port: 80,
    scheduler: 'rr',
    flags: 0,
    timeout: 0,
    prefixLength: addressBits(familyOf(address)),
    persistenceEngine: '',
    ...over,
  };
}
