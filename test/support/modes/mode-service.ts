import { createHash } from 'node:crypto';
import type { Family, IpAddress } from '../../../pkg/ip/address.ts';
import type { Prefix } from '../../../pkg/ip/prefix.ts';
import type { Host } from '../network/network.ts';
import { addressOf, type ShopService } from '../traffic.ts';

/** A Service with a port 80 for each protocol, as other modes of kube-proxy write rules for it. */
export interface ModeService {
  readonly shop: ShopService;
  readonly endpoints: readonly Host[];
  /** Seconds of session affinity; 0 for none. */
  readonly affinitySeconds?: number;
  readonly loadBalancer?: Readonly<Record<Family, IpAddress>>;
  /** Who may use the load balancer; everybody by default. */
  readonly sourceRanges?: Readonly<Record<Family, Prefix>>;
}

/** Pods of the cluster, in each family. */
export const clusterNetworks = { IPv4: '10.0.0.0/8', IPv6: 'fd00:10::/32' } as const;

/** Sixteen letters and digits that name a port of a Service, or an endpoint of it. */
export function chainId(...words: readonly string[]): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const hash = createHash('sha256').update(words.join('/')).digest();
  return [...hash.subarray(0, 16)].map((byte) => letters[byte % 32]).join('');
}

/** `10.0.1.2:8080`, or with brackets: where the pods of a Service serve. */
export function podTarget(host: Host, family: Family): string {
  const address = addressOf(host, family);
  return family === 'IPv4' ? `${address}:8080` : `[${address}]:8080`;
}
