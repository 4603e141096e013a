import { beforeEach, describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { FakeFirewall, FakeRuleTables } from '../../firewall/fake.ts';
import type { Ruleset } from '../../firewall/firewall.ts';
import { type Family, families } from '../../ip/address.ts';
import { minutes } from '../../runner/clock.ts';

// What a start makes of other modes' leftovers: the order of its writes, and what goes after it.

/** What stands when rules are written. */
interface Moment {
  readonly family: Family;
  readonly tables: readonly string[];
  readonly hasVirtualServer: boolean;
  readonly hasAddress: boolean;
}

/** A firewall that notes at each write what stands by then. */
class NotingFirewall extends FakeFirewall {
  readonly moments: Moment[] = [];
  look: () => Pick<Moment, 'hasVirtualServer' | 'hasAddress'> = () => ({
    hasVirtualServer: false,
    hasAddress: false,
  });

  override async apply(family: Family, ruleset: Ruleset): Promise<void> {
    const tables = [...new Set(ruleset.chains.map(({ table }) => table))];
    this.moments.push({ family, tables, ...this.look() });
    await super.apply(family, ruleset);
  }
}

const address = ip('172.30.0.1');
let kernel: FakeKernel;
let firewall: NotingFirewall;
let ruleTables: FakeRuleTables;

beforeEach(() => {
  kernel = new FakeKernel();
  firewall = new NotingFirewall();
  ruleTables = new FakeRuleTables(firewall);
  firewall.look = () => ({
    hasVirtualServer: kernel.ipvs.dump().includes('10.0.1.2'),
    hasAddress: kernel.links.dump().includes(address),
  });
});

/** What iptables mode leaves in a family. */
function leaveIptablesMode(family: Family): void {
  const nat = [
    '-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.0.1.2:8080',
    '-A KUBE-SVC-A -j KUBE-SEP-A',
    '-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A',
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  ];
  for (const rule of nat) firewall.insertRule(family, { table: 'nat', rule });
  const filter = [
    '-A KUBE-PROXY-FIREWALL -d 198.51.100.1/32 -j DROP',
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
  ];
  for (const rule of filter) firewall.insertRule(family, { table: 'filter', rule });
}

function isLeft(): boolean {
  return families.some((family) =>
    /SVC-A|SEP-A|load balancer firewall/.test(firewall.dump(family)),
  );
}

/** Whether the nat table of IPv4 was written. */
function isNatWritten(): boolean {
  return firewall.moments.some(({ family, tables }) => family === 'IPv4' && tables.includes('nat'));
}

/** A proxier on that kernel, with one Service. */
function stand(): Stand {
  const started = new Stand({ kernel, firewall, ruleTables });
  started.report(setService(service()), setSlice(slice([endpoint('10.0.1.2')])));
  return started;
}

describe('a start over iptables mode', () => {
  test('writes the filter table, then virtual servers and addresses, then the nat table, and removes the rest', async () => {
    leaveIptablesMode('IPv4');
    const started = stand();
    await started.sync();
    const ofFamily = (family: Family) => firewall.moments.filter((each) => each.family === family);
    expect(ofFamily('IPv4')).toEqual([
      { family: 'IPv4', tables: ['filter'], hasVirtualServer: false, hasAddress: false },
      { family: 'IPv4', tables: ['nat', 'filter'], hasVirtualServer: true, hasAddress: true },
    ]);
    expect(ofFamily('IPv6')[0]?.tables).toEqual(['nat', 'filter']);
    expect(isLeft()).toBe(false);
    expect(firewall.dump('IPv4')).toContain('-j KUBE-SERVICES');
    expect(started.log.lines().filter((line) => line.includes('another mode'))).toEqual([
      'info removed what another mode of kube-proxy left {"removed":"IPv4 rules of nft (2 chains, 1 jumps to them)"}',
    ]);
    await started.stop();
  });
  test('leaves the nat table while something that all Services share fails, and the leftovers with it', async () => {
    leaveIptablesMode('IPv4');
    kernel.links.failWith = ({ call }) => (call === 'ensureDummy' ? 'EPERM' : undefined);
    const started = stand();
    await started.sync();
    await started.settle(minutes(1));
    expect(isNatWritten()).toBe(false);
    expect(isLeft()).toBe(true);
    kernel.links.failWith = () => undefined;
    await started.settle(minutes(1));
    expect(isLeft()).toBe(false);
    await started.stop();
  });
  test('leaves the nat table after one such failure until an audit has repaired it', async () => {
    leaveIptablesMode('IPv4');
    let failures = 0;
    kernel.links.failWith = ({ call }) =>
      call === 'ensureDummy' && failures++ === 0 ? 'EPERM' : undefined;
    const started = stand();
    await started.sync();
    // What waited for rules was carried out since, and the device stands; but nobody has looked at everything again.
    expect([failures, isNatWritten(), isLeft()]).toEqual([2, false, true]);
    expect(started.reports.isFirstSyncDone).toBe(false);
    await started.settle(minutes(1));
    expect([isNatWritten(), isLeft()]).toEqual([true, false]);
    expect(started.reports.isFirstSyncDone).toBe(true);
    await started.stop();
  });
});

test('a start over nothing writes all rules first, and looks for leftovers only then', async () => {
  const started = stand();
  await started.sync();
  expect(
    firewall.moments.map(({ tables, hasVirtualServer }) => [tables, hasVirtualServer]),
  ).toEqual([
    [['nat', 'filter'], false],
    [['nat', 'filter'], false],
  ]);
  await started.settle(minutes(10));
  // Before the first sync and after it, and in no audit.
  expect(ruleTables.calls).toEqual({ read: 2, remove: 0 });
  await started.stop();
});

test('the table of nftables mode goes after the first sync', async () => {
  kernel.nftTables.addTable({ family: 'IPv4', name: 'kube-proxy' });
  const started = stand();
  await started.sync();
  expect(kernel.nftTables.dump()).toBe('');
  await started.stop();
});

test('where it cannot be told whether iptables mode serves, it counts as serving', async () => {
  ruleTables.failWith = (call) => (call === 'read' ? 'EIO' : undefined);
  const started = stand();
  await started.sync();
  expect(firewall.moments.map(({ tables }) => tables)).toEqual([
    ...[['filter'], ['filter']],
    ...[
      ['nat', 'filter'],
      ['nat', 'filter'],
    ],
  ]);
  expect(started.reports.isFirstSyncDone).toBe(true);
  await started.stop();
});

test('a removal that fails is repeated, and nothing else fails with it', async () => {
  leaveIptablesMode('IPv4');
  ruleTables.failWith = (call) => (call === 'remove' ? 'EBUSY' : undefined);
  const started = stand();
  await started.sync();
  await started.settle(minutes(1));
  expect(started.reports.syncs.every(({ isSuccess }) => isSuccess)).toBe(true);
  expect(ruleTables.calls.remove).toBeGreaterThan(3);
  expect(ruleTables.calls.remove).toBeLessThan(12);
  expect(isLeft()).toBe(true);
  ruleTables.failWith = () => undefined;
  await started.settle(minutes(5));
  expect(isLeft()).toBe(false);
  await started.stop();
});

test('while our own rules cannot be written, what another mode left stays', async () => {
  kernel.nftTables.addTable({ family: 'IPv4', name: 'kube-proxy' });
  firewall.failWith = ({ call }) => (call === 'apply' ? 'EINVAL' : undefined);
  const started = stand();
  await started.sync();
  await started.settle(minutes(1));
  expect(kernel.nftTables.dump()).not.toBe('');
  firewall.failWith = () => undefined;
  await started.settle(minutes(1));
  expect(kernel.nftTables.dump()).toBe('');
  await started.stop();
});
