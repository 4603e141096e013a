import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import type { Operation } from './operation.ts';

/** The operations on conntrack flows that follow a change of the endpoints of UDP front ends. */
export function planFlows(changed: readonly UdpFrontEnd[]): readonly Operation[] {
  return changed.length === 0 ? [] : [{ kind: 'reconcileFlows', frontEnds: changed }];
}
