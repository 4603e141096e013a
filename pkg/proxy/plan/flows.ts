import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import type { Operation } from './operation.ts';

/** What is to be done about conntrack's flows once the kernel has the endpoints of some UDP front ends that changed. */
export function planFlows(changed: readonly UdpFrontEnd[]): readonly Operation[] {
  return changed.length === 0 ? [] : [{ kind: 'reconcileFlows', frontEnds: changed }];
}
