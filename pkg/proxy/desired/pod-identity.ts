import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';

/** It belongs to a pod whose uid is unknown. */
export const unknownPod = '' as PodIdentity;

/** Any pod that has the address. No uid is one character long, so it differs from all uids. */
export const anyPod = '*' as PodIdentity;

/** Whether it is known which pod is meant. */
export function isPodKnown(pod: PodIdentity): boolean {
  return pod !== unknownPod && pod !== anyPod;
}

/** Whether two real servers on one address belong to the same pod. True if that is unknown. */
export function isSamePod(one: PodIdentity, other: PodIdentity): boolean {
  return !isPodKnown(one) || !isPodKnown(other) || one === other;
}

/** A real server and its pod, as far as that is known. */
export interface PodRealServer {
  readonly realServer: RealServerId;
  readonly podUid: PodIdentity;
}
