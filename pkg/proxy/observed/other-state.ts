import type { VirtualServer } from '../../ipvs/ipvs.ts';
import type { RealServerState } from '../desired/real-servers.ts';

/** Whether a held real server has another state than it should have. */
export function hasOtherState(held: RealServerState, wanted: RealServerState): boolean {
  return (
    held.weight !== wanted.weight ||
    held.forwarding !== wanted.forwarding ||
    held.upperThreshold !== wanted.upperThreshold ||
    held.lowerThreshold !== wanted.lowerThreshold
  );
}

/** Whether a held virtual server has other settings than it should have. */
export function hasOtherSettings(held: VirtualServer, wanted: VirtualServer): boolean {
  return (
    wanted.scheduler !== held.scheduler ||
    wanted.flags !== held.flags ||
    wanted.timeout !== held.timeout ||
    wanted.prefixLength !== held.prefixLength ||
    wanted.persistenceEngine !== held.persistenceEngine
  );
}
