import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  type RealServer,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { PacketView } from './packet.ts';
import type { Balancing } from './result.ts';
import type { KernelState, TracedVirtualServer } from './state.ts';

/** The virtual server for a packet: that of its port, else the persistent one for all ports (port 0). */
export function virtualServerFor(
  { virtualServers }: KernelState,
  { destination: address, protocol, port }: PacketView,
): TracedVirtualServer | undefined {
  const exact = virtualServers.get(virtualServerKey({ address, protocol, port }));
  if (exact !== undefined) return exact;
  const any = virtualServers.get(virtualServerKey({ address, protocol, port: 0 }));
  return any !== undefined && isPersistent(any) ? any : undefined;
}

/** The real servers that a scheduler may choose for a new connection. */
export function eligible({
  virtualServer,
  realServers,
}: TracedVirtualServer): readonly RealServer[] {
  const weighted = realServers.filter(({ weight }) => weight > 0);
  if (virtualServer.scheduler !== 'fo') return weighted;
  // Fail-over sends all connections to the real server with the highest weight.
  const heaviest = Math.max(...weighted.map(({ weight }) => weight));
  return weighted.filter(({ weight }) => weight === heaviest);
}

/** The properties of a virtual server's balancing that do not depend on the choice. */
export function balancingOf(traced: TracedVirtualServer): Omit<Balancing, 'choices'> {
  const { virtualServer, realServers } = traced;
  return {
    virtualServer,
    draining: realServers.filter(({ weight }) => weight <= 0),
    affinitySeconds: isPersistent(traced) ? virtualServer.timeout : 0,
    mayRefuse: refusal(traced),
  };
}

/** Why a scheduler may refuse: those that hash do not check first whether a real server may be chosen; `ovf` counts connections. */
function refusal({ virtualServer, realServers }: TracedVirtualServer): string | undefined {
  const { scheduler, flags } = virtualServer;
  const hashes = scheduler === 'dh' || scheduler === 'sh' || scheduler === 'mh';
  const hasFallback = scheduler !== 'dh' && (flags & IP_VS_SVC_F_SCHED1) !== 0;
  if (hashes && !hasFallback && realServers.some(({ weight }) => weight <= 0))
    return `${scheduler} refuses clients that it hashes onto a real server of weight 0`;
  if (scheduler === 'ovf')
    return 'ovf refuses once each real server has more active connections than its weight';
  if (realServers.some(({ upperThreshold }) => upperThreshold > 0))
    return 'a real server at its upper threshold is skipped';
  return undefined;
}

function isPersistent({ virtualServer: { flags } }: TracedVirtualServer): boolean {
  return (flags & IP_VS_SVC_F_PERSISTENT) !== 0;
}
