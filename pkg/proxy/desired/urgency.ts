import type { FrontEnd } from './footprint.ts';

/** How early a virtual server must stand, the lower the sooner: the API server's, what the node itself needs, the rest. One that nobody wants can wait. */
export function urgencyOf(frontEnd: Pick<FrontEnd, 'owner'> | undefined): number {
  if (frontEnd?.owner?.key === 'default/kubernetes') return 0;
  return frontEnd?.owner?.namespace === 'kube-system' ? 1 : 2;
}
