import type { Ruleset } from '../firewall/firewall.ts';
import { type Family, families, familyOf, type IpAddress } from '../ip/address.ts';
import type { Entry } from '../ipset/ipset.ts';
import { type VirtualServerId, virtualServerKey } from '../ipvs/ipvs.ts';
import { RuleSource } from '../proxy/apply/rule-source.ts';
import { deviceName } from '../proxy/desired/device.ts';
import { type SetId, setHeader, setIds, setName } from '../proxy/desired/sets.ts';
import type { VipBinding } from '../proxy/desired/vip-routes.ts';
import { inPieces, type Pause } from '../trace/read-state.ts';
import {
  type AddressTable,
  type KernelState,
  type KnownSet,
  SetIndex,
  type TracedVirtualServer,
} from '../trace/state.ts';
import type { DesiredLedger, DesiredSettings, LedgerOptions } from './ledger.ts';
import type { NameSource, NodeObjects } from './names.ts';
import { withRuleset } from './rulesets.ts';

/** What the proxy would keep in the kernel for some objects, about one destination. */
export interface DesiredState {
  readonly ledger: DesiredLedger;
  /** The rules of each family. */
  readonly rulesets: Readonly<Record<Family, Ruleset>>;
  readonly objects: NodeObjects;
  readonly nodeName: string;
  readonly binding: VipBinding['mode'];
  /** The sets, by name. */
  readonly sets: ReadonlyMap<string, KnownSet>;
  /** The entries about the destination and its real servers, by set. */
  readonly entries: ReadonlyMap<SetId, readonly Entry[]>;
}

/** What is compared. */
export interface DesiredOptions extends LedgerOptions {
  readonly kernel: KernelState;
  /** The destination. */
  readonly id: VirtualServerId;
}

/** Works out what should be there about a destination for the objects of a source. Writes nothing. Throws what the source throws. */
export async function desiredState(
  names: NameSource,
  options: DesiredOptions,
): Promise<DesiredState> {
  const { settings, kernel, pause, id } = options;
  const objects = await names.objects();
  const ledger = await names.ledger(options);
  return {
    ledger,
    rulesets: await rulesetsOf(ledger, { settings, objects, kernel }),
    objects,
    nodeName: settings.nodeName,
    binding: settings.vipBinding.mode,
    sets: await setsOf(ledger, pause),
    entries: await entriesAbout(id, { ledger, pause }),
  };
}

/** The sets of a ledger. Only those with networks are copied: the others are asked for one entry at a time. */
async function setsOf(ledger: DesiredLedger, pause: Pause): Promise<ReadonlyMap<string, KnownSet>> {
  const sets = new Map<string, KnownSet>();
  for (const family of families) {
    for (const id of setIds) {
      const name = setName(id, family);
      const { type } = setHeader(id, family);
      if (type === 'hash:ip,port,net') {
        const index = new SetIndex(type);
        await inPieces(ledger.entries(name), pause, (entry) => index.add(entry));
        sets.set(name, index);
        continue;
      }
      const keys = {
        size: ledger.entryCount(name),
        has: (key: string) => ledger.wantsEntry(name, key),
      };
      const isOfFamily = type !== 'bitmap:port' && keys.size > 0;
      sets.set(name, {
        type,
        keys,
        family: isOfFamily ? family : undefined,
        prefixLengths: new Set(),
      });
    }
  }
  return sets;
}

/** The entries for a destination, and those by which its real servers reach themselves. */
async function entriesAbout(
  id: VirtualServerId,
  { ledger, pause }: { readonly ledger: DesiredLedger; readonly pause: Pause },
): Promise<ReadonlyMap<SetId, readonly Entry[]>> {
  const family = familyOf(id.address);
  const realServers = ledger.frontEnd(virtualServerKey(id))?.realServers.values() ?? [];
  const targets = new Set<IpAddress>(realServers.map(({ address }) => address));
  const found = new Map<SetId, readonly Entry[]>();
  for (const set of setIds) {
    const some: Entry[] = [];
    await inPieces(ledger.entries(setName(set, family)), pause, (entry) => {
      if (set === 'loopBack' ? isOf(entry, targets) : isAbout(entry, id)) some.push(entry);
    });
    found.set(set, some);
  }
  return found;
}

function isOf(entry: Entry, targets: ReadonlySet<IpAddress>): boolean {
  return entry.type === 'hash:ip,port,ip' && targets.has(entry.ip);
}

function isAbout(entry: Entry, { address, port, protocol }: VirtualServerId): boolean {
  switch (entry.type) {
    case 'hash:ip':
      return entry.ip === address;
    case 'bitmap:port':
      return entry.port === port;
    case 'hash:ip,port':
    case 'hash:ip,port,ip':
    case 'hash:ip,port,net':
      return entry.ip === address && entry.port === port && entry.protocol === protocol;
  }
}

async function rulesetsOf(
  ledger: DesiredLedger,
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
  { ledger, rulesets, sets }: DesiredState,
  id: VirtualServerId,
): KernelState {
  return {
    ...kernel,
    tables: {
      IPv4: withRuleset(kernel.tables.IPv4, { ruleset: rulesets.IPv4, family: 'IPv4' }),
      IPv6: withRuleset(kernel.tables.IPv6, { ruleset: rulesets.IPv6, family: 'IPv6' }),
    },
    sets: new Map([...kernel.sets, ...sets]),
    virtualServers: desiredVirtualServers(kernel, ledger, id),
    addresses: desiredAddresses(kernel, ledger),
  };
}

/** The virtual servers of all ports of the destination's address. One that nobody wants stays only if it is none of ours. */
function desiredVirtualServers(
  { virtualServers }: KernelState,
  ledger: DesiredLedger,
  { address }: VirtualServerId,
): KernelState['virtualServers'] {
  const desired = new Map<string, TracedVirtualServer>();
  for (const key of ledger.virtualServers()) {
    // Most keys are of other addresses, and their front ends need not be looked up.
    if (!key.includes(address)) continue;
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
  for (const [key, held] of virtualServers)
    if (!desired.has(key) && !ledger.wantsAddress(held.virtualServer.address))
      desired.set(key, held);
  return desired;
}

/** Addresses of other devices stay; the dummy device has those that are wanted, and no others. */
function desiredAddresses({ addresses }: KernelState, ledger: DesiredLedger): AddressTable {
  const linkOf = (address: IpAddress) => {
    const link = addresses.get(address);
    if (link !== undefined && link !== deviceName) return link;
    return ledger.wantsAddress(address) ? deviceName : undefined;
  };
  return { get: linkOf, has: (address) => linkOf(address) !== undefined };
}
