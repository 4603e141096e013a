import { addressBits, type IpAddress } from '../../ip/address.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  keyedVirtualServer,
  type VirtualServer,
} from '../../ipvs/ipvs.ts';
import type { ServicePort } from './service.ts';

/** What `sh` and `mh` need so that new clients pass over draining servers (`sh-fallback`, `mh-fallback`), and `mh` to spread one client's connections. */
const schedulerFlags: Readonly<Record<string, number>> = {
  sh: IP_VS_SVC_F_SCHED1,
  mh: IP_VS_SVC_F_SCHED1 + IP_VS_SVC_F_SCHED2,
};

/** The virtual server of a service port on an address and port. */
export function virtualServerOf(
  { protocol, affinitySeconds, family }: ServicePort,
  { address, port, scheduler }: { address: IpAddress; port: number; scheduler: string },
): VirtualServer {
  const persistent = affinitySeconds > 0 ? IP_VS_SVC_F_PERSISTENT : 0;
  const flags = persistent + (schedulerFlags[scheduler] ?? 0);
  const prefixLength = addressBits(family);
  return keyedVirtualServer({
    address,
    protocol,
    port,
    scheduler,
    flags,
    timeout: affinitySeconds,
    prefixLength,
    persistenceEngine: '',
  });
}
