import type { Notice } from '../../pkg/config/notices.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { type Family, families, isLoopback } from '../../pkg/ip/address.ts';
import { prefixFamily, printPrefix } from '../../pkg/ip/prefix.ts';

const setting = 'nodePortAddresses';

/** Warnings about `nodePortAddresses` on a node that serves these families. */
export function nodePortNotices(
  { nodePortAddresses: networks }: Pick<ProxyConfig, 'nodePortAddresses'>,
  served: readonly Family[],
): readonly Notice[] {
  if (networks.length === 0) {
    const message = `${setting} is not set: node ports are served on all addresses of the node; "primary" limits them to the node IPs`;
    return [{ severity: 'warn', message }];
  }
  const prefixes = networks.filter((network) => network !== 'primary');
  const notices: Notice[] = [];
  const add = (message: string, details: Notice['details']) =>
    void notices.push({
      severity: 'warn',
      message: `${setting} ${message}`,
      details: { ...details },
    });
  const list = (some: typeof prefixes) => ({ networks: some.map(printPrefix).join(', ') });
  for (const family of families) {
    const ofFamily = prefixes.filter((network) => prefixFamily(network) === family);
    if (served.includes(family)) {
      if (ofFamily.length === 0 && !networks.includes('primary'))
        add('has no network of a family: its node ports are served on all addresses', { family });
    } else if (ofFamily.length > 0)
      add('has networks of a family that this node does not serve', { family, ...list(ofFamily) });
  }
  const loopback = prefixes.filter(({ address }) => isLoopback(address));
  if (loopback.length > 0)
    add('has loopback networks, where IPVS serves no node ports', list(loopback));
  return notices;
}
