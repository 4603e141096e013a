import { existsSync } from 'node:fs';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { isNotFound, isUnsupported, KernelError } from '../../pkg/errno/errno.ts';
import type { Firewall } from '../../pkg/firewall/firewall.ts';
import { type Family, families, familyOf, isUnspecified } from '../../pkg/ip/address.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';

/**
 * The families that this node's iptables and kernel serve. Throws if the one of `--bind-address` is not among them; if that is
 * unspecified, the Node decides later which is the primary family, and it throws if none is served.
 */
export async function servedFamilies(
  { config, log }: { config: Pick<ProxyConfig, 'bindAddress'>; log: Logger },
  firewall: Pick<Firewall, 'capabilities'>,
): Promise<readonly Family[]> {
  const { bindAddress } = config;
  const primary = isUnspecified(bindAddress) ? undefined : familyOf(bindAddress);
  const lacks = new Map<Family, unknown>();
  // Both at once: it takes programs to find out.
  const served = await Promise.all(
    families.map(async (family) => {
      try {
        const iptables = await iptablesOf(family, firewall);
        log.info('serving', { family, iptables });
        return [family];
      } catch (error) {
        if (family === primary) throw unsupportedPrimary(error);
        // What fails today may work tomorrow; only what is not there is done without until the next start.
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

/** What a family's iptables says of itself; throws if the family cannot be served. */
async function iptablesOf(
  family: Family,
  firewall: Pick<Firewall, 'capabilities'>,
): Promise<string> {
  if (family === 'IPv6' && !existsSync('/proc/net/if_inet6'))
    throw new KernelError('look for IPv6', 'EAFNOSUPPORT', { detail: 'the kernel has no IPv6' });
  return (await firewall.capabilities(family)).description;
}
