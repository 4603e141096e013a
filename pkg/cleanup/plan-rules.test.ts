import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { PrintedRules, RuleRemoval } from '../firewall/firewall.ts';
import type { CleanupPlan } from './operation.ts';
import { planRules } from './plan-rules.ts';

function rules(text: string): readonly PrintedRules[] {
  return [{ family: 'IPv4', flavour: 'nft', text }];
}

function removals({ operations }: CleanupPlan): readonly RuleRemoval[] {
  return operations.flatMap((operation) =>
    operation.kind === 'removeRules' ? operation.removals : [],
  );
}

describe('rules as upstream makes them in iptables mode', () => {
  const path = new URL('../../test/fixtures/leftovers/iptables-mode.txt', import.meta.url);
  const plan = planRules(rules(readFileSync(path, 'utf8')));
  const byTable = new Map(removals(plan).map((removal) => [removal.table, removal]));

  test.each([
    ['mangle', 1, 0],
    ['nat', 10, 4],
    ['filter', 6, 9],
  ])('%s: %d chains and %d jumps go', (table, chains, jumps) => {
    const removal = byTable.get(table);
    expect(removal?.emptied).toHaveLength(chains);
    expect(removal?.deleted).toEqual(removal?.emptied);
    expect(removal?.rules).toHaveLength(jumps);
  });
  test('nothing of kubelet, of a CNI or of an administrator goes', () => {
    const names = removals(plan).flatMap(({ deleted, rules: gone }) => [...deleted, ...gone]);
    expect(names.filter((name) => /FOREIGN|CNI|KUBELET|HINT|flanneld/.test(name))).toEqual([]);
    expect(byTable.get('filter')?.deleted).not.toContain('KUBE-FIREWALL');
  });
  test('nothing is held', () => {
    expect(plan.kept).toEqual([]);
    expect(plan.unreadable).toEqual([]);
  });
});

describe('a chain that a rule of somebody else leads into', () => {
  const foreign = '-A CNI-SETMARK -p tcp -j KUBE-MARK-MASQ';
  const head = '*nat\n:OUTPUT ACCEPT [0:0]\n:CNI-SETMARK - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n';
  const mark = '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000';

  test('is emptied, stays, and is named with that rule', () => {
    const plan = planRules(rules(`${head}${foreign}\n${mark}\nCOMMIT\n`));
    expect(removals(plan)).toEqual([
      { table: 'nat', rules: [], emptied: ['KUBE-MARK-MASQ'], deleted: [] },
    ]);
    expect(plan.kept).toEqual([
      `chain KUBE-MARK-MASQ in IPv4 table nat of nft: used by ${foreign}`,
    ]);
  });
  test('leaves nothing to be done once it is empty', () => {
    const plan = planRules(rules(`${head}${foreign}\nCOMMIT\n`));
    expect(plan.operations).toEqual([]);
    expect(plan.kept).toHaveLength(1);
  });
  test.each([
    ['a comment of ours in a chain of theirs', '-A CNI-SETMARK', 'kubernetes service portals'],
    ['a comment of theirs in a built-in chain', '-A OUTPUT', 'my own jump'],
  ])('%s does not make the rule ours', (_name, chain, comment) => {
    const rule = `${chain} -m comment --comment "${comment}" -j KUBE-MARK-MASQ`;
    expect(planRules(rules(`${head}${rule}\nCOMMIT\n`)).kept).toHaveLength(1);
  });
});

describe('a table that iptables cannot print', () => {
  const opaque = (table: string) => `# Table \`${table}' is incompatible, use 'nft' tool.\n`;

  test('has our own rules taken out, and is named', () => {
    const plan = planRules(rules(opaque('nat')));
    expect(plan.operations).toEqual([{ kind: 'removeOwnRules', family: 'IPv4' }]);
    expect(plan.unreadable).toEqual(['IPv4 table nat of nft']);
  });
  test('is of no interest where no kube-proxy puts anything', () => {
    const plan = planRules(rules(opaque('raw')));
    expect(plan).toEqual({ operations: [], kept: [], unreadable: [] });
  });
});
