import { type Family, familyOf, type IpAddress, parseAddress } from '../../ip/address.ts';
import type { PodPlace } from '../types.ts';
import { isObject } from './fields.ts';

/** How many addresses of a pod are looked at. */
const addressLimit = 16;

/** Where a core/v1 Pod is, from the API's JSON; `undefined` if that is no pod. Addresses that are none are left out. */
export function reducePod(raw: unknown): PodPlace | undefined {
  if (!isObject(raw) || !isObject(raw['spec'])) return undefined;
  const { spec, status } = raw;
  const known = isObject(status) ? status : {};
  const { podIPs, podIP } = known;
  const listed: readonly unknown[] = Array.isArray(podIPs) ? podIPs.slice(0, addressLimit) : [];
  const texts = [...listed.map((one) => (isObject(one) ? one['ip'] : undefined)), podIP];
  const addresses = new Map<Family, IpAddress>();
  for (const text of texts) {
    const address = typeof text === 'string' ? parseAddress(text) : undefined;
    if (address !== undefined && !addresses.has(familyOf(address)))
      addresses.set(familyOf(address), address);
  }
  const { nodeName, hostNetwork } = spec as Readonly<Record<string, unknown>>;
  return {
    addresses: [...addresses.values()],
    isHostNetwork: hostNetwork === true,
    nodeName: typeof nodeName === 'string' ? nodeName : '',
  };
}
