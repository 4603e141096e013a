import { addressBits, type IpAddress } from '../../ip/address.ts';
import {
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  keyedVirtualServer,
  type VirtualServer,
} from '../../ipvs/ipvs.ts';
import type { Conditions } from './conditions.ts';
import type { ServicePort } from './service.ts';

/** The virtual server of a service port on an address and port. */
export function virtualServerOf(
  { protocol, affinitySeconds, family }: ServicePort,
  {
    address,
    port,
    conditions: { node, options },
  }: {
    address: IpAddress;
    port: number;
    conditions: Pick<Conditions, 'node' | 'options'>;
  },
): VirtualServer {
  const scheduler = options.scheduler ?? node.scheduler;
  const persistent = affinitySeconds > 0 ? IP_VS_SVC_F_PERSISTENT : 0;
  return keyedVirtualServer({
    address,
    protocol,
    port,
    scheduler,
    flags: persistent + schedulerFlags(scheduler, options.hashesSourcePort),
    timeout: affinitySeconds,
    prefixLength: addressBits(family),
    persistenceEngine: '',
  });
}

/**
 * The flags of a scheduler. `sh` and `mh` always get the fallback (`sh-fallback`, `mh-fallback`), so that new clients pass over
 * draining and full real servers. Upstream has `mh` hash the source port too, and `sh` not.
 */
function schedulerFlags(scheduler: string, hashesSourcePort = scheduler === 'mh'): number {
  if (scheduler !== 'sh' && scheduler !== 'mh') return 0;
  return IP_VS_SVC_F_SCHED1 + (hashesSourcePort ? IP_VS_SVC_F_SCHED2 : 0);
}
