import { errnoOf } from '../errno/errno.ts';
import { errorText } from '../log/error-text.ts';
import type { Logger } from '../log/log.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

/** Bit numbers from linux/capability.h. */
const bits = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n } as const;

/** A capability that a root process may lack. */
export type Capability = keyof typeof bits;

/** The consequence of each missing one. Without NET_ADMIN nothing works. */
const consequences = {
  CAP_NET_RAW:
    'iptables cannot write rules that match on ip sets, which takes a raw socket, so Services are not masqueraded; clients that only wait for a deleted server are not reset, and connections to it are not closed',
} as const;

/**
 * Returns the missing capabilities and logs each with its consequence. Throws without CAP_NET_ADMIN. If the kernel does not say,
 * none counts as missing. `process` is /proc/self.
 */
export function missingCapabilities({
  process,
  log,
}: {
  process: Pick<Sysctl, 'read'>;
  log: Logger;
}): ReadonlySet<Capability> {
  const effective = effectiveSet(process, log);
  if (effective === undefined) return new Set();
  const has = (capability: Capability) => ((effective >> bits[capability]) & 1n) === 1n;
  if (!has('CAP_NET_ADMIN'))
    throw new Error('needs the capability CAP_NET_ADMIN: run it as root, or add NET_ADMIN');
  if (has('CAP_NET_RAW')) return new Set();
  log.warn('a capability is missing: add NET_RAW', {
    capability: 'CAP_NET_RAW',
    consequence: consequences.CAP_NET_RAW,
  });
  return new Set(['CAP_NET_RAW']);
}

function effectiveSet(process: Pick<Sysctl, 'read'>, log: Logger): bigint | undefined {
  try {
    const digits = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(process.read('status') ?? '')?.[1];
    if (digits !== undefined) return BigInt(`0x${digits}`);
    log.warn('cannot tell which capabilities there are');
  } catch (error) {
    log.warn('cannot tell which capabilities there are', {
      reason: errorText(error),
      code: errnoOf(error),
    });
  }
  return undefined;
}
