import type { IpAddress } from '../../ip/address.ts';
import type { RealServerId } from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import type { Keys } from '../desired/keys.ts';
import type { Ledger } from '../desired/ledger.ts';
import { isPodKnown, unknownPod } from '../desired/pod-identity.ts';
import type { Mirror } from './mirror.ts';

/** What pods of held real servers are found with. */
export interface HeldPodsContext {
  readonly mirror: Mirror;
  /** The wanted state. Only read. */
  readonly ledger: Pick<Ledger, 'wantedRealServer'>;
  /** The pod that has an address behind a virtual server, by its key. */
  readonly podOn: (virtualServer: string, address: IpAddress) => PodIdentity;
}

/**
 * Records a pod for each real server of some keys that is held without one: the pod it is wanted for, or else the pod that has its
 * address now.
 */
export function recordPods({ virtualServers, realServers }: Keys, context: HeldPodsContext): void {
  const { mirror } = context;
  virtualServers.forEach((key) => {
    mirror.virtualServers
      .get(key)
      ?.realServers.forEachOf(unknownPod, (id) => recordPod(key, { id, context }));
  });
  realServers.forEach((ids, key) => {
    const held = mirror.virtualServers.get(key)?.realServers;
    if (held !== undefined)
      ids.forEach((id) => {
        if (held.podOf(id) === unknownPod) recordPod(key, { id, context });
      });
  });
}

function recordPod(
  key: string,
  {
    id,
    context: { mirror, ledger, podOn },
  }: { readonly id: RealServerId; readonly context: HeldPodsContext },
): void {
  const podUid = ledger.wantedRealServer(key, id)?.podUid ?? podOn(key, id.address);
  if (isPodKnown(podUid)) mirror.recordPod(key, { id, podUid });
}
