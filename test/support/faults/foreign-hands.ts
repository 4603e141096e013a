import type { Table } from '../../../pkg/firewall/firewall.ts';
import { type Family, familyOf, type IpAddress } from '../../../pkg/ip/address.ts';
import type { EntryWrite } from '../../../pkg/ipset/ipset.ts';
import type {
  IpvsWrite,
  RealServer,
  RealServerStatus,
  VirtualServer,
} from '../../../pkg/ipvs/ipvs.ts';
import { ip } from '../addresses.ts';
import type { Dice } from '../kube/dice.ts';
import type { FakeKernel } from '../proxier.ts';

/** What other programs and people do to what is ours. */
export const foreignDeeds = [
  'deletes a virtual server',
  'deletes all virtual servers',
  'deletes a real server',
  'deletes the draining real servers',
  'sets a weight',
  'adds a real server',
  'changes a virtual server',
  'flushes a chain',
  'flushes all rules',
  'clears a set',
  'destroys a set',
  'adds an entry',
  'unbinds an address',
  'binds an address',
  'deletes the device',
] as const;

/** One of {@link foreignDeeds}. */
export type ForeignDeed = (typeof foreignDeeds)[number];

/** Where a deed is done, and the dice that say to what. */
export interface ForeignHand {
  readonly kernel: FakeKernel;
  readonly dice: Dice;
  /** Other programs' virtual servers are left alone. */
  readonly isOurs: (virtualServer: VirtualServer) => boolean;
}

/** Does a deed by the fakes themselves, which fail for nobody. False where there was nothing to do it to. */
export async function doForeignDeed(deed: ForeignDeed, hand: ForeignHand): Promise<boolean> {
  const before = hand.kernel.dump();
  await deeds[deed]({ ...hand, virtualServers: await virtualServersOf(hand) });
  return hand.kernel.dump() !== before;
}

interface FoundVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: readonly RealServerStatus[];
}

interface Found extends ForeignHand {
  readonly virtualServers: readonly FoundVirtualServer[];
}

const device = 'kube-ipvs0';

const deeds: Readonly<Record<ForeignDeed, (found: Found) => void | Promise<void>>> = {
  'deletes a virtual server': (found) =>
    writeOne(found, ({ virtualServer }) => ({ kind: 'deleteVirtualServer', virtualServer })),
  'deletes all virtual servers': ({ kernel, virtualServers }) =>
    void kernel.ipvs.write(
      virtualServers.map(
        ({ virtualServer }): IpvsWrite => ({ kind: 'deleteVirtualServer', virtualServer }),
      ),
    ),
  'deletes a real server': (found) =>
    writeRealServer(found, (virtualServer, realServer) => ({
      kind: 'deleteRealServer',
      virtualServer,
      realServer,
    })),
  'deletes the draining real servers': ({ kernel, virtualServers }) =>
    void kernel.ipvs.write(virtualServers.flatMap(deletionsOfDraining)),
  'sets a weight': (found) =>
    writeRealServer(found, (virtualServer, realServer) => {
      const weight = found.dice.pick([0, 1, 7]);
      return { kind: 'updateRealServer', virtualServer, realServer: { ...realServer, weight } };
    }),
  'adds a real server': (found) =>
    writeOne(found, ({ virtualServer }) => ({
      kind: 'addRealServer',
      virtualServer,
      realServer: strangerFor(virtualServer),
    })),
  'changes a virtual server': (found) =>
    writeOne(found, ({ virtualServer }) => ({
      kind: 'updateVirtualServer',
      virtualServer: { ...virtualServer, scheduler: 'lc' },
    })),
  'flushes a chain': ({ kernel, dice }) => {
    const family = dice.pick<Family>(['IPv4', 'IPv6']);
    const table = dice.pick<Table>(['filter', 'nat']);
    const name = pickFrom(chainsOf(kernel.firewall.dump(family), table), dice);
    if (name !== undefined) kernel.firewall.flushChain(family, { table, name });
  },
  'flushes all rules': ({ kernel, dice }) =>
    kernel.firewall.flushAll(dice.pick<Family>(['IPv4', 'IPv6'])),
  'clears a set': async ({ kernel, dice }) => {
    const set = await someSet(kernel, { dice, isFilled: true });
    if (set === undefined) return;
    const entries = await kernel.ipsets.entries(set);
    kernel.ipsets.write(entries.map((entry): EntryWrite => ({ kind: 'deleteEntry', set, entry })));
  },
  'destroys a set': async ({ kernel, dice }) => {
    const set = await someSet(kernel, { dice, isFilled: false });
    if (set !== undefined) kernel.ipsets.destroy(set);
  },
  'adds an entry': ({ kernel, dice }) => {
    const entry = { type: 'hash:ip,port', ip: nobodys(dice), protocol: 'TCP', port: 80 } as const;
    kernel.ipsets.write([{ kind: 'addEntry', set: 'KUBE-CLUSTER-IP', entry }]);
  },
  'unbinds an address': async ({ kernel, dice }) => {
    const bound = (await kernel.links.addresses()).filter(({ link }) => link === device);
    const some = pickFrom(bound, dice);
    if (some !== undefined) kernel.links.removeAddress(some);
  },
  'binds an address': ({ kernel, dice }) => {
    if (kernel.links.hasLink(device))
      kernel.links.addAddress({ link: device, address: nobodys(dice), prefixLength: 32 });
  },
  'deletes the device': ({ kernel }) => {
    if (kernel.links.hasLink(device)) kernel.links.deleteLink(device);
  },
};

function deletionsOfDraining({
  virtualServer,
  realServers,
}: FoundVirtualServer): readonly IpvsWrite[] {
  return realServers
    .filter(({ weight }) => weight === 0)
    .map((realServer) => ({ kind: 'deleteRealServer', virtualServer, realServer }));
}

function writeOne(
  { kernel, dice, virtualServers }: Found,
  write: (some: FoundVirtualServer) => IpvsWrite,
): void {
  const some = pickFrom(virtualServers, dice);
  if (some !== undefined) kernel.ipvs.write([write(some)]);
}

function writeRealServer(
  { kernel, dice, virtualServers }: Found,
  write: (virtualServer: VirtualServer, realServer: RealServer) => IpvsWrite,
): void {
  const some = pickFrom(
    virtualServers.filter(({ realServers }) => realServers.length > 0),
    dice,
  );
  const realServer = some && pickFrom(some.realServers, dice);
  if (some !== undefined && realServer !== undefined)
    kernel.ipvs.write([write(some.virtualServer, realServer)]);
}

async function virtualServersOf({
  kernel: { ipvs },
  isOurs,
}: ForeignHand): Promise<readonly FoundVirtualServer[]> {
  const virtualServers: FoundVirtualServer[] = [];
  for (const virtualServer of (await ipvs.virtualServers()).filter(isOurs))
    virtualServers.push({ virtualServer, realServers: await ipvs.realServers(virtualServer) });
  return virtualServers;
}

async function someSet(
  { ipsets }: FakeKernel,
  { dice, isFilled }: { dice: Dice; isFilled: boolean },
): Promise<string | undefined> {
  const sets = (await ipsets.sets()).filter(
    ({ header, entryCount }) => header.name.startsWith('KUBE-') && (!isFilled || entryCount > 0),
  );
  return pickFrom(sets, dice)?.header.name;
}

/** Our chains in a table of what iptables-save prints. */
function chainsOf(saved: string, table: string): readonly string[] {
  const part = saved.split(`*${table}`)[1]?.split('COMMIT')[0] ?? '';
  return [...part.matchAll(/^:(KUBE-\S+)/gm)].flatMap(([, name]) => name ?? []);
}

/** A Service address that no Service has. */
function nobodys(dice: Dice): IpAddress {
  return ip(`172.30.9.${1 + dice.below(9)}`);
}

/** A real server that no slice names. */
function strangerFor({ address }: VirtualServer): RealServer {
  return {
    address: familyOf(address) === 'IPv4' ? ip('10.9.9.9') : ip('fd00:10::9:9'),
    port: 9999,
    weight: 1,
    forwarding: 'masquerade',
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}

function pickFrom<Thing>(things: readonly Thing[], dice: Dice): Thing | undefined {
  return things[dice.below(things.length)];
}
