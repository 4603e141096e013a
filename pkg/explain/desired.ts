import type { Ruleset } from '../firewall/firewall.ts';
import { type Family, families, type IpAddress } from '../ip/address.ts';
import { printPrefix } from '../ip/prefix.ts';
import type { VirtualServerId } from '../ipvs/ipvs.ts';
import { noOptions, type ServiceOptions } from '../kube/annotations.ts';
import type { EndpointSlice, Service } from '../kube/types.ts';
import { type RuleSettings, RuleSource } from '../proxy/apply/rule-source.ts';
import { deviceName } from '../proxy/desired/device.ts';
import { footprint } from '../proxy/desired/footprints.ts';
import { Ledger } from '../proxy/desired/ledger.ts';
import { type NodeSettings, nodeContext } from '../proxy/desired/node-context.ts';
import { setHeader, setIds, setName } from '../proxy/desired/sets.ts';
import type { VipBinding } from '../proxy/desired/vip-routes.ts';
import { Yielder } from '../runner/yielder.ts';
import { type KernelState, type TracedServer, tracedSet } from '../trace/state.ts';
import type { NodeObjects } from './names.ts';
import { nodeAddressesOf } from './read-node.ts';
import { withRuleset } from './rulesets.ts';

/** The settings of the proxy whose state is compared. */
export interface DesiredSettings extends NodeSettings {
  readonly ruleSettings: RuleSettings;
  readonly serviceOptionsOf: ((service: Service) => ServiceOptions) | undefined;
  /** How VIPs become the node's own. Ranges that only the cluster's ServiceCIDR objects name are not known. */
  readonly vipBinding: Pick<VipBinding, 'mode' | 'ranges'>;
}

/** What the proxy would keep in the kernel for some objects. */
export interface DesiredState {
  readonly ledger: Ledger;
  /** The rules of each family. */
  readonly rulesets: Readonly<Record<Family, Ruleset>>;
  readonly objects: NodeObjects;
  readonly nodeName: string;
  readonly binding: VipBinding['mode'];
}

/** Computes what should be there for some objects on a node with these addresses. Writes and waits for nothing. */
export async function desiredState(
  objects: NodeObjects,
  {
    settings,
    kernel,
    now,
  }: {
    readonly settings: DesiredSettings;
    readonly kernel: KernelState;
    readonly now: () => number;
  },
): Promise<DesiredState> {
  const addresses = nodeAddressesOf(kernel.addresses);
  const node = nodeContext(settings, { node: objects.node, addresses });
  const slices = Map.groupBy(objects.slices, ({ serviceKey }) => serviceKey);
  const ledger = new Ledger();
  const yielder = new Yielder(now);
  for (const service of objects.services) {
    const options = settings.serviceOptionsOf?.(service) ?? noOptions;
    const own: readonly EndpointSlice[] = slices.get(service.key) ?? [];
    ledger.set(footprint({ service, slices: own, vanished: [], options }, node));
    await yielder.yieldIfDue();
  }
  const { mode: binding, ranges } = settings.vipBinding;
  if (binding === 'route')
    ledger.closeRanges(new Map(ranges.map((range) => [printPrefix(range), range])));
  const rulesets = await rulesetsOf(ledger, { settings, objects, kernel });
  return { ledger, rulesets, objects, nodeName: settings.nodeName, binding };
}

async function rulesetsOf(
  ledger: Ledger,
  {
    settings,
    objects,
    kernel,
  }: { settings: DesiredSettings; objects: NodeObjects; kernel: KernelState },
): Promise<DesiredState['rulesets']> {
  const source = new RuleSource({
    settings: settings.ruleSettings,
    // As the rules that stand have it, which the installed iptables has written.
    firewall: { capabilities: async (family) => capabilities(kernel, family) },
    node: () => objects.node,
  });
  const [IPv4, IPv6] = await Promise.all(
    families.map((family) => source.ruleset(family, ledger.ruleContent(family))),
  );
  if (IPv4 === undefined || IPv6 === undefined) throw new Error('a family has no rules');
  return { IPv4, IPv6 };
}

function capabilities({ tables }: KernelState, family: Family) {
  const rules = tables[family].flatMap((filter) => {
    const nat = filter.get('nat');
    return nat === undefined || nat === 'opaque' ? [] : (nat.get('KUBE-POSTROUTING')?.rules ?? []);
  });
  const masquerades = rules.flatMap(({ target }) =>
    target.target === 'MASQUERADE' ? [target.randomFully] : [],
  );
  const randomFully = masquerades.length === 0 || masquerades.includes(true);
  return { randomFully, flavour: 'nft', description: '' } as const;
}

/** The kernel as it would be about one destination, all else being as it is. */
export function desiredKernel(
  kernel: KernelState,
  { ledger, rulesets }: DesiredState,
  id: VirtualServerId,
): KernelState {
  return {
    ...kernel,
    tables: {
      IPv4: withRuleset(kernel.tables.IPv4, { ruleset: rulesets.IPv4, family: 'IPv4' }),
      IPv6: withRuleset(kernel.tables.IPv6, { ruleset: rulesets.IPv6, family: 'IPv6' }),
    },
    sets: new Map([...kernel.sets, ...desiredSets(ledger)]),
    servers: desiredServers(kernel, ledger, id),
    addresses: desiredAddresses(kernel, ledger),
  };
}

function desiredSets(ledger: Ledger) {
  return families.flatMap((family) =>
    setIds.map((set) => {
      const name = setName(set, family);
      return [name, tracedSet(setHeader(set, family).type, [...ledger.entries(name)])] as const;
    }),
  );
}

/** The virtual servers of all ports of the destination's address. One that nobody wants stays only if it is none of ours. */
function desiredServers(
  { servers }: KernelState,
  ledger: Ledger,
  { address }: VirtualServerId,
): KernelState['servers'] {
  const desired = new Map<string, TracedServer>();
  for (const key of ledger.virtualServers()) {
    const frontEnd = ledger.frontEnd(key);
    if (frontEnd?.virtualServer.address !== address) continue;
    const realServers = frontEnd.realServers.values().map(({ address: at, port, weight }) => ({
      address: at,
      port,
      weight,
      forwarding: 'masquerade' as const,
      upperThreshold: 0,
      lowerThreshold: 0,
    }));
    desired.set(key, { virtualServer: frontEnd.virtualServer, realServers });
  }
  for (const [key, server] of servers)
    if (!desired.has(key) && !ledger.wantsAddress(server.virtualServer.address))
      desired.set(key, server);
  return desired;
}

function desiredAddresses({ addresses }: KernelState, ledger: Ledger): KernelState['addresses'] {
  const desired = new Map<IpAddress, string>(
    [...addresses].filter(([, link]) => link !== deviceName),
  );
  for (const address of ledger.addresses())
    if (!desired.has(address)) desired.set(address, deviceName);
  return desired;
}
