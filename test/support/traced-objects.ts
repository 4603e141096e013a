import { families } from '../../pkg/ip/address.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { readKernelState } from '../../pkg/trace/read-state.ts';
import type { KernelState } from '../../pkg/trace/state.ts';
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

async function stateOfFake({ ipvs, ipsets, links, firewall }: FakeKernel): Promise<KernelState> {
  const [IPv4 = '', IPv6 = ''] = families.map((family) => firewall.dump(family));
  return await readKernelState({ ipvs, ipsets, links, rules: { IPv4: [IPv4], IPv6: [IPv6] } });
}
