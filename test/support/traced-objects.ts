import { localRoute } from '../../pkg/explain/node-state.ts';
import { families, type IpAddress } from '../../pkg/ip/address.ts';
import { contains, type Prefix } from '../../pkg/ip/prefix.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { readKernelState } from '../../pkg/trace/read-state.ts';
import type { AddressTable, KernelState } from '../../pkg/trace/state.ts';
import { type FakeKernel, Stand } from './proxier.ts';

/** The state that a proxier makes of objects, on a kernel in memory. */
export async function stateOfObjects(
  changes: readonly Change[],
  over: ConstructorParameters<typeof Stand>[0] = {},
): Promise<KernelState> {
  const stand = new Stand(over);
  stand.report(...changes);
  await stand.sync();
  const state = await stateOfFake(stand.kernel);
  await stand.stop();
  return state;
}

async function stateOfFake({
  ipvs,
  ipsets,
  links,
  routes,
  firewall,
}: FakeKernel): Promise<KernelState> {
  const [IPv4 = '', IPv6 = ''] = families.map((family) => firewall.dump(family));
  const rules = { IPv4: [IPv4], IPv6: [IPv6] };
  const state = await readKernelState({ ipvs, ipsets, links, rules });
  const networks = (await routes.routes()).map(({ network }) => network);
  return { ...state, addresses: withRoutes(state.addresses, networks) };
}

/** The addresses of a node, and those that it has by local routes alone. */
function withRoutes(addresses: AddressTable, networks: readonly Prefix[]): AddressTable {
  const get = (address: IpAddress) =>
    addresses.get(address) ??
    (networks.some((network) => contains(network, address)) ? localRoute : undefined);
  return { get, has: (address) => get(address) !== undefined };
}
