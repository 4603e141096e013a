import { type Family, familyOf, type IpAddress, parseAddress } from '../../ip/address.ts';
import { specialAddress } from '../../ip/special.ts';
import { quoted } from './fields.ts';

/** An address that a Service or an endpoint may have, or the reason why it may not. */
export type ServiceAddress =
  | { readonly address: IpAddress; readonly problem?: never }
  | { readonly address?: never; readonly problem: string };

/** Reads an address, of one family if that is given. Refuses addresses to which no packet is routed, as the API server does. */
export function serviceAddress(text: string, family?: Family): ServiceAddress {
  const address = parseAddress(text);
  if (address === undefined || (family !== undefined && familyOf(address) !== family))
    return { problem: `${quoted(text)} is not an ${family ?? 'IP'} address` };
  const special = specialAddress(address);
  if (special === undefined) return { address };
  return { problem: `${quoted(text)} is refused: ${articles[special]} address cannot be served` };
}

const articles = {
  unspecified: 'the unspecified',
  loopback: 'a loopback',
  'link-local': 'a link-local',
  multicast: 'a multicast',
  broadcast: 'the broadcast',
} as const;
