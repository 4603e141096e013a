import type { Prefix } from '../ip/prefix.ts';
import { deviceName } from '../proxy/desired/device.ts';
import { nftTableName } from '../proxy/leftovers/names.ts';
import { Mirror } from '../proxy/observed/mirror.ts';
import { isOurs } from '../proxy/observed/ownership.ts';
import type { Found } from './found.ts';
import type { CleanupOperation, CleanupPlan } from './operation.ts';
import { planRules } from './plan-rules.ts';

/** Plans which of the found objects to delete, and in which order. Virtual servers in the excluded networks are not ours. */
export function planCleanup(
  found: Found,
  { excluded }: { excluded: readonly Prefix[] },
): CleanupPlan {
  const { kept, operations, unreadable } = planRules(found.rules ?? []);
  const { device, routes, nftTables = [], sets } = found;
  // If it is unknown which virtual servers are ours, the device and the sets stay, as the next attempt needs them.
  const virtualServers = planVirtualServers(found, excluded);
  const areKnown = virtualServers !== undefined;
  return {
    operations: [
      ...(virtualServers ?? []),
      ...(areKnown && device === 'dummy'
        ? [{ kind: 'deleteDevice', name: deviceName } as const]
        : []),
      ...(areKnown && routes !== undefined
        ? routes.map(({ network }) => ({ kind: 'deleteRoute', network }) as const)
        : []),
      ...operations,
      ...nftTables
        .filter(({ name }) => name === nftTableName)
        .map((table) => ({ kind: 'deleteNftTable', table }) as const),
      ...(areKnown && sets !== undefined
        ? [...sets.keys()].map((name) => ({ kind: 'destroySet', name }) as const)
        : []),
    ],
    kept: [...(device === 'other' ? [`${deviceName}: it is no dummy device`] : []), ...kept],
    unreadable,
  };
}

function planVirtualServers(
  { virtualServers, addresses, routes, sets }: Found,
  excluded: readonly Prefix[],
): readonly CleanupOperation[] | undefined {
  if (virtualServers === undefined || addresses === undefined) return undefined;
  if (routes === undefined || sets === undefined) return undefined;
  const mirror = new Mirror();
  mirror.recordAddresses(new Set(addresses.bound));
  mirror.recordNodeAddresses(new Set(addresses.node));
  mirror.routes.recordAll(routes);
  for (const [name, entries] of sets) mirror.recordSet(name, new Map(entries));
  return virtualServers
    .filter(({ virtualServer, realServers }) =>
      isOurs(virtualServer, { mirror, excluded, realServers }),
    )
    .map(({ virtualServer }) => ({ kind: 'deleteVirtualServer', virtualServer }));
}
