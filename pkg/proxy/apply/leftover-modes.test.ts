import { describe, expect, test } from 'vitest';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { FakeFirewall, FakeRuleTables } from '../../firewall/fake.ts';
import type { RulePlace, Ruleset, Table } from '../../firewall/firewall.ts';
import { type Family, families } from '../../ip/address.ts';

// A start over every mode, whose rules are of our flavour of iptables or of the other one.

type Flavour = RulePlace['flavour'];
type ModeRules = Readonly<Partial<Record<Table, readonly string[]>>>;

const portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES';

/** What each mode leaves in a family, the last rule of a chain first. */
const modes: Readonly<Record<string, ModeRules>> = {
  iptables: {
    nat: [
      '-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.0.1.2:8080',
      '-A KUBE-SVC-A -j KUBE-SEP-A',
      '-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A',
      `-A PREROUTING ${portals}`,
      `-A OUTPUT ${portals}`,
    ],
    filter: [
      '-A KUBE-EXTERNAL-SERVICES -d 198.51.100.1/32 -j REJECT',
      '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
    ],
  },
  ipvs: {
    nat: [
      '-A KUBE-FIREWALL -j KUBE-MARK-DROP',
      '-A KUBE-LOAD-BALANCER -j KUBE-FIREWALL',
      '-A KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER',
      `-A PREROUTING ${portals}`,
      `-A OUTPUT ${portals}`,
    ],
  },
  // Its table of nf_tables is beside both flavours.
  nftables: {},
};

/** Rules of others, which stay. */
const foreign: ModeRules = {
  nat: ['-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE'],
  filter: ['-A DOCKER-USER -j RETURN', '-A FORWARD -j DOCKER-USER'],
};

/** A firewall that notes the tables of each write. */
class NotingFirewall extends FakeFirewall {
  readonly writes: string[] = [];

  override async apply(family: Family, ruleset: Ruleset): Promise<void> {
    const tables = new Set(ruleset.chains.map(({ table }) => table));
    this.writes.push(`${family} ${[...tables].join(' ')}`);
    await super.apply(family, ruleset);
  }
}

function insertAll(firewall: FakeFirewall, rules: ModeRules): void {
  for (const family of families)
    for (const table of ['nat', 'filter'] as const)
      for (const rule of rules[table] ?? []) firewall.insertRule(family, { table, rule });
}

/** What a node without a proxy prints that has the rules of others. */
function foreignAlone(family: Family): string {
  const firewall = new FakeFirewall();
  insertAll(firewall, foreign);
  return firewall.dump(family);
}

/** Starts over a mode, and returns what is there after the first sync. */
async function startOver(mode: string, { left, ours }: { left: Flavour; ours: Flavour }) {
  const kernel = new FakeKernel();
  const firewall = new NotingFirewall({ flavour: ours });
  const other = new FakeFirewall({ flavour: ours === 'nft' ? 'legacy' : 'nft' });
  const ruleTables = new FakeRuleTables(firewall, other);
  for (const each of [firewall, other]) insertAll(each, foreign);
  insertAll(left === ours ? firewall : other, modes[mode] ?? {});
  if (mode === 'nftables')
    for (const family of families) kernel.nftTables.addTable({ family, name: 'kube-proxy' });
  const stand = new Stand({ kernel, firewall, ruleTables });
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.1.2')])));
  await stand.sync();
  expect(stand.reports.isFirstSyncDone).toBe(true);
  const removed = stand.log.lines().filter((line) => line.includes('another mode'));
  await stand.stop();
  return { kernel, firewall, other, ruleTables, removed };
}

const flavours = ['nft', 'legacy'] as const;
const cases = flavours.flatMap((ours) =>
  flavours.flatMap((left) => Object.keys(modes).map((mode) => ({ mode, left, ours }))),
);

describe.each(cases)('$mode mode in $left, ours in $ours', ({ mode, left, ours }) => {
  test('nothing of it stays, all of ours stands, and so do rules of others', async () => {
    const { kernel, firewall, other } = await startOver(mode, { left, ours });
    expect(kernel.nftTables.dump()).toBe('');
    for (const family of families) {
      const printed = firewall.dump(family);
      expect(printed).not.toMatch(/SVC-A|SEP-A|KUBE-FIREWALL|EXTERNAL-SERVICES/);
      expect(printed).toContain(`-A PREROUTING ${portals}`);
      expect(printed).toContain('-m mark ! --mark 0x4000/0x4000 -j RETURN');
      for (const rule of [...(foreign.nat ?? []), ...(foreign.filter ?? [])])
        expect(printed).toContain(rule);
      expect(other.dump(family)).toBe(foreignAlone(family));
    }
  });

  test('the nat table waits for virtual servers only where iptables mode serves in our flavour', async () => {
    const { firewall } = await startOver(mode, { left, ours });
    const isLast = mode === 'iptables' && left === ours;
    for (const family of families)
      expect(firewall.writes.find((write) => write.startsWith(family))).toBe(
        isLast ? `${family} filter` : `${family} nat filter`,
      );
  });

  test('what was removed is logged once, by flavour', async () => {
    const { removed } = await startOver(mode, { left, ours });
    const lines = removed.join('\n');
    expect(lines.match(/removed what another mode of kube-proxy left/g)).toHaveLength(1);
    for (const family of families) {
      const named = mode === 'nftables' ? 'nf_tables table' : `${family} rules of ${left}`;
      expect(lines).toContain(named);
    }
    if (mode !== 'nftables') expect(lines).not.toContain(left === 'nft' ? 'of legacy' : 'of nft');
  });
});
