import type { Claim } from './claims.ts';

/** How early a virtual server must stand, the lower the sooner: the API server's, what the node itself needs, the rest. One that nobody claims can wait. */
export function urgencyOf(claim: Claim | undefined): number {
  if (claim?.owner?.key === 'default/kubernetes') return 0;
  return claim?.owner?.namespace === 'kube-system' ? 1 : 2;
}
