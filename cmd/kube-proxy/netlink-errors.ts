import type { ErrnoCode } from '../../pkg/errno/errno.ts';
import type { Metrics } from '../../pkg/metrics/metrics.ts';
import { netfilterSubsystem } from '../../pkg/netlink/netfilter.ts';

/** Counts errors of netlink connections, by the part of the kernel that answered. */
export function netlinkErrors({ netlinkErrors: errors }: Pick<Metrics, 'netlinkErrors'>) {
  const of = (subsystem: string) => (errno: ErrnoCode) => errors.inc({ subsystem, errno });
  return {
    /** For a connection to one subsystem. */
    of,
    /** For a connection of NETLINK_NETFILTER, which leads to several. */
    ofNetfilter: (errno: ErrnoCode, type: number) => of(netfilterSubsystem(type))(errno),
  };
}
