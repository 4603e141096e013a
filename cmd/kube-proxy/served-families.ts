import { existsSync } from 'node:fs';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { isNotFound, isUnsupported, KernelError } from '../../pkg/errno/errno.ts';
import type { Firewall } from '../../pkg/firewall/firewall.ts';
import { type Family, families, familyOf, isUnspecified } from '../../pkg/ip/address.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';

/**
 * The families that this node's iptables and kernel support. Throws if that of `--bind-address` is not supported. If that is
 * unspecified, the Node decides later which family is primary; then it throws if no family is supported.
 */
export async function servedFamilies(
  {
    config,
    log,
    hasIPv6 = existsSync('/proc/net/if_inet6'),
  }: {
    readonly config: Pick<ProxyConfig, 'bindAddress'>;
    readonly log: Logger;
    /** Whether the kernel has IPv6; that of this machine unless said otherwise. */
    readonly hasIPv6?: boolean | undefined;
  },
  firewall: Pick<Firewall, 'capabilities'>,
): Promise<readonly Family[]> {
  const { bindAddress } = config;
  const primary = isUnspecified(bindAddress) ? undefined : familyOf(bindAddress);
  const lacks = new Map<Family, unknown>();
  // Both at once, as each runs programs.
  const served = await Promise.all(
    families.map(async (family) => {
      try {
        const iptables = await iptablesOf(family, { firewall, hasIPv6 });
        log.info('serving', { family, iptables });
        return [family];
      } catch (error) {
        if (family === primary) throw unsupportedPrimary(error);
        // Other errors may be temporary. A family is left out only if it is not supported.
        if (!isNotFound(error) && !isUnsupported(error)) throw error;
        log.warn('not served', { family, reason: errorText(error) });
        lacks.set(family, error);
        return [];
      }
    }),
  );
  if (served.flat().length === 0) throw unsupportedPrimary(lacks.get('IPv4'));
  return served.flat();
}

function unsupportedPrimary(cause: unknown): Error {
  return new Error('no support for primary IP family', { cause });
}

/** The description of a family's iptables. Throws if the family is not supported. */
async function iptablesOf(
  family: Family,
  {
    firewall,
    hasIPv6,
  }: { readonly firewall: Pick<Firewall, 'capabilities'>; readonly hasIPv6: boolean },
): Promise<string> {
  if (family === 'IPv6' && !hasIPv6)
    throw new KernelError('look for IPv6', 'EAFNOSUPPORT', { detail: 'the kernel has no IPv6' });
  return (await firewall.capabilities(family)).description;
}
