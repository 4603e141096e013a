import type { RealServerId } from '../../ipvs/ipvs.ts';

/** Whose a real server or an address is: the uid of a pod, {@link unknownPod}, or {@link anyPod}. */
export type PodIdentity = string;

/** It is somebody's, and nobody has said whose. */
export const unknownPod: PodIdentity = '';

/** It does not matter whose: whoever has the address is meant. No uid is one character long. */
export const anyPod: PodIdentity = '*';

/** Whether it is known which pod is meant. */
export function isPodKnown(pod: PodIdentity): boolean {
  return pod !== unknownPod && pod !== anyPod;
}

/** Whether two real servers on one address are the same pod's, as far as is known. */
export function isSamePod(one: PodIdentity, other: PodIdentity): boolean {
  return !isPodKnown(one) || !isPodKnown(other) || one === other;
}

/** A real server, and whose it is as far as is known. */
export interface PodRealServer {
  readonly realServer: RealServerId;
  readonly podUid: PodIdentity;
}
