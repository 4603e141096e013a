import { virtualServerKey } from '../../ipvs/ipvs.ts';
import { noOptions } from '../../kube/annotations.ts';
import { minutes } from '../../runner/clock.ts';
import type { PodState } from '../changes/namespace-pods.ts';
import type { Pods } from '../changes/pod-index.ts';
import type { Ledger } from '../desired/ledger.ts';
import { anyPod } from '../desired/pod-identity.ts';
import type { MirrorView } from '../observed/mirror.ts';
import type { DrainContext } from './decide.ts';
import type { DrainRequest } from './list.ts';

import type { DrainCause } from './policy.ts';

/** The sources of a drain's context, and the configured timeout in milliseconds, 0 for none. */
export interface DrainContextSources {
  readonly ledger: Ledger;
  readonly mirror: MirrorView;
  readonly pods: Pods;
  /** Whether slices are as the API server has them. */
  readonly areSlicesCurrent: () => boolean;
  readonly timeout: number;
}

/** The context of a real server whose pod is unknown: it drains until it has no connections, or for 15 minutes. */
export const detached: DrainContext = {
  isWanted: false,
  cause: 'endpoint',
  pod: 'left',
  timeout: minutes(15),
  isExposed: false,
  isAddressGone: false,
  scheduler: 'rr',
};

/** Collects the current values that the rules of a drain depend on. */
export function drainContextOf(
  request: DrainRequest,
  { ledger, mirror, pods, areSlicesCurrent, timeout }: DrainContextSources,
): DrainContext {
  const { virtualServer, realServer, podUid } = request;
  const key = virtualServerKey(virtualServer);
  const frontEnd = ledger.frontEnd(key);
  const { isBound = false, isExposed = true, options } = frontEnd ?? {};
  const { virtualServer: known } = frontEnd ?? mirror.virtualServers.get(key) ?? {};
  const { drainTimeout, keepsSessionsByAddress = false } = options ?? noOptions;
  const stateOf = (): PodState => {
    const { address } = realServer;
    const state = pods.state(ledger.lastOwner(key)?.namespace, { address, podUid });
    // A slice with the address may still arrive. So may the pod that takes the sessions over.
    const mayCome =
      (state === 'unseen' && !areSlicesCurrent()) || (state === 'gone' && keepsSessionsByAddress);
    return mayCome ? 'left' : state;
  };
  return {
    isWanted: ledger.wantsRealServer(virtualServer, request),
    cause: causeOf(request, ledger),
    pod: podUid === anyPod ? 'left' : stateOf(),
    timeout: drainTimeout ?? timeout,
    isExposed,
    isAddressGone: !isBound && !mirror.nodeAddresses.includes(virtualServer.address),
    scheduler: known?.scheduler ?? '',
  };
}

function causeOf(request: DrainRequest, ledger: Ledger): DrainCause {
  if (ledger.frontEnd(virtualServerKey(request.virtualServer))?.owner === undefined)
    return 'virtualServer';
  return ledger.wantsSuccessor(request.virtualServer, request) ? 'successor' : 'endpoint';
}
