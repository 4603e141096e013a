import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FakeFirewall } from '../../firewall/fake.ts';
import type { PrintedRules, RuleRemoval } from '../../firewall/firewall.ts';
import { families } from '../../ip/address.ts';
import { rules } from '../desired/chains.ts';
import { isServedByIptables, type LeftoverPlan, planLeftovers } from './plan.ts';
import { planTableInSteps } from './plan-table.ts';

const path = new URL('../../../test/fixtures/leftovers/iptables-mode.txt', import.meta.url);
/** With KUBE-SERVICES as it is when our own rules are written: nothing there leads to theirs. */
const iptablesMode = readFileSync(path, 'utf8').replaceAll(/^-A KUBE-SERVICES .*\n/gm, '');
const allSets = {
  nonEmpty: new Set<never>(),
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  localDetector: undefined,
  randomFully: true,
};

function plan(
  place: Partial<PrintedRules>,
  { pause = () => undefined }: { pause?: () => undefined } = {},
): Promise<LeftoverPlan> {
  const rules = [{ family: 'IPv4' as const, flavour: 'nft' as const, text: '', ...place }];
  return planLeftovers({ rules, nftTables: [] }, { flavour: 'nft', families: ['IPv4'], pause });
}

function removalsOf({ removals }: LeftoverPlan): ReadonlyMap<string, RuleRemoval> {
  const all = removals.flatMap((each) => (each.kind === 'removeRules' ? each.removals : []));
  return new Map(all.map((removal) => [removal.table, removal]));
}

describe('iptables mode serves where KUBE-SERVICES leads to', () => {
  test.each([
    ['a chain of a Service', '-d 172.30.0.1/32 -p tcp -j KUBE-SVC-XPGD46QRK7WJZT7O', true],
    ['an external one', '-d 198.51.100.1/32 -p tcp -j KUBE-EXT-XPGD46QRK7WJZT7O', true],
    ['one of an older release', '-d 198.51.100.1/32 -p tcp -j KUBE-XLB-XPGD46QRK7WJZT7O', true],
    ['node ports, without any Service', '-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS', true],
    ['node ports of IPVS mode', '-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT', false],
    ['marks alone', '-m set --match-set KUBE-CLUSTER-IP dst,dst -j KUBE-MARK-MASQ', false],
  ])('%s', (_name, rule, serves) => {
    const text = `*nat\n:KUBE-SVC-A - [0:0]\n-A KUBE-SERVICES ${rule}\nCOMMIT\n`;
    expect(isServedByIptables({ text })).toBe(serves);
  });
  test('chains that nothing leads to do not count', () => {
    const text = '*nat\n:KUBE-SVC-A - [0:0]\n-A KUBE-SVC-A -j KUBE-SEP-A\nCOMMIT\n';
    expect(isServedByIptables({ text })).toBe(false);
  });
});

describe('rules of iptables mode', () => {
  test('in our flavour: what we share with it stays', async () => {
    const removals = removalsOf(await plan({ text: iptablesMode }));
    expect([...removals.keys()]).toEqual(['mangle', 'nat', 'filter']);
    expect(removals.get('mangle')?.deleted).toEqual(['KUBE-PROXY-CANARY']);
    expect(removals.get('nat')?.rules).toEqual([]);
    expect(removals.get('nat')?.deleted.map((name) => name.replace(/-[A-Z0-9]{16}$/, ''))).toEqual([
      ...['KUBE-EXT', 'KUBE-NODEPORTS', 'KUBE-PROXY-CANARY'],
      ...['KUBE-SEP', 'KUBE-SVC', 'KUBE-SVL', 'KUBE-FW'],
    ]);
    const filter = removals.get('filter');
    expect(filter?.deleted).toEqual([
      ...['KUBE-EXTERNAL-SERVICES', 'KUBE-NODEPORTS', 'KUBE-PROXY-CANARY', 'KUBE-SERVICES'],
    ]);
    // The three of new connections to KUBE-PROXY-FIREWALL, a chain that stays, and five to chains that go.
    expect(filter?.rules.filter((rule) => rule.endsWith('KUBE-PROXY-FIREWALL'))).toHaveLength(3);
    expect(filter?.rules).toHaveLength(8);
    expect(filter?.rules.filter((rule) => rule.includes('forwarding rules'))).toEqual([]);
  });
  test('in the other flavour: all of it goes', async () => {
    const removals = removalsOf(await plan({ text: iptablesMode, flavour: 'legacy' }));
    expect(removals.get('nat')?.deleted).toContain('KUBE-SERVICES');
    expect(removals.get('nat')?.rules).toHaveLength(4);
  });
  test('of a family that is not served: nothing goes', async () => {
    expect((await plan({ text: iptablesMode, family: 'IPv6' })).removals).toEqual([]);
  });
  test('are read in pieces, so that other work runs in between', async () => {
    let pauses = 0;
    const many = Array.from(
      { length: 2_000 },
      (_, index) => `-A KUBE-SEP-${index} -j KUBE-MARK-MASQ`,
    );
    const pause = () => void pauses++;
    await plan({ text: ['*nat', ':KUBE-SEP-1 - [0:0]', ...many, 'COMMIT'].join('\n') }, { pause });
    expect(pauses).toBe(20);
  });
});

test('the removal of many chains is planned in steps', () => {
  const chains = new Map(
    Array.from({ length: 20_000 }, (_, index) => [
      `KUBE-SEP-${index}`,
      { policy: undefined, rules: [] },
    ]),
  );
  const steps = planTableInSteps('nat', chains);
  let count = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) count++;
  // Three times each: whether it goes, who leads into it, and what is done to it.
  expect([count, step.value.removal?.deleted.length]).toEqual([30, 20_000]);
});

test.each(families)('of our own rules of %s nothing goes', async (family) => {
  const firewall = new FakeFirewall();
  await firewall.apply(family, rules(family, allSets));
  const place = { family, flavour: 'nft' as const, text: firewall.dump(family) };
  const own = { flavour: 'nft' as const, families, pause: () => undefined };
  expect(await planLeftovers({ rules: [place], nftTables: [] }, own)).toEqual({
    removals: [],
    held: [],
  });
});

test('of the tables of nf_tables those of nftables mode go, in the families that are served', async () => {
  const nftTables = [
    { family: 'IPv4', name: 'kube-proxy' },
    { family: 'IPv4', name: 'kube-router' },
    { family: 'IPv6', name: 'kube-proxy' },
  ] as const;
  const own = { flavour: 'nft', families: ['IPv4'], pause: () => undefined } as const;
  const { removals } = await planLeftovers({ rules: [], nftTables }, own);
  expect(removals).toEqual([{ kind: 'deleteNftTable', table: nftTables[0] }]);
});

test('a chain that a rule of somebody else leads into stays, and is named', async () => {
  const text = [
    ...['*nat', ':PREROUTING ACCEPT [0:0]', ':KUBE-SVC-A - [0:0]', ':MINE - [0:0]'],
    ...['-A MINE -j KUBE-SVC-A', 'COMMIT'],
  ].join('\n');
  const planned = await plan({ text });
  expect(planned.removals).toEqual([]);
  expect(planned.held).toEqual([
    'chain KUBE-SVC-A in IPv4 table nat of nft: used by -A MINE -j KUBE-SVC-A',
  ]);
});
