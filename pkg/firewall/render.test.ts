import { expect, test } from 'vitest';
import { parseAddress } from '../ip/address.ts';
import type { Match } from './firewall.ts';
import { deleteInput, emptyInput, restoreInput, ruleText } from './render.ts';
import { savedRule } from './saved.ts';

const drop = { target: 'DROP' } as const;

test.each([
  ['plain', 'plain'],
  ['two words', '"two words"'],
  ["the 'other' quotes", `"the 'other' quotes"`],
  ['"quoted" \\ slashed', '"\\"quoted\\" \\\\ slashed"'],
  ['-j ACCEPT', '"-j ACCEPT"'],
  ['', '""'],
  ['$(date) `id`', '"$(date) `id`"'],
])('the comment %j is written %s', (text, written) => {
  const rule = { matches: [{ match: 'comment', text }], target: drop } as const;
  expect(ruleText('KUBE-A', rule)).toBe(`KUBE-A -m comment --comment ${written} -j DROP`);
});

test.each(['two\nlines', 'carriage\rreturn', 'nul\0'])('the comment %j is refused', (text) => {
  const rule = { matches: [{ match: 'comment', text }], target: drop } as const;
  expect(() => ruleText('KUBE-A', rule)).toThrow('not one line');
});

test('a match on an IPVS packet, as written and as printed', () => {
  const address = parseAddress('203.0.113.9');
  if (address === undefined) throw new Error('203.0.113.9');
  const match: Match = { match: 'ipvs', address, protocol: 'UDP', port: 53, direction: 'ORIGINAL' };
  const rule = { matches: [match], target: drop };
  expect(ruleText('A', rule)).toBe(
    'A -m ipvs --vaddr 203.0.113.9 --vproto udp --vport 53 --vdir ORIGINAL -j DROP',
  );
  expect(savedRule('A', rule, 'IPv4')).toBe(
    '-A A -m ipvs --vproto 17 --vaddr 203.0.113.9 --vport 53 --vdir ORIGINAL -j DROP',
  );
});

const chain = { table: 'filter', name: 'KUBE-A', rules: [{ matches: [], target: drop }] } as const;
const jump = { table: 'filter', from: 'INPUT', comment: 'c', to: 'KUBE-A' } as const;

test('a table without rules of ours is not named, as naming it would create it', () => {
  expect(restoreInput({ chains: [chain], jumps: [jump] }, [jump]).text).toBe(
    '*filter\n:KUBE-A - [0:0]\n-A KUBE-A -j DROP\n-I INPUT -m comment --comment c -j KUBE-A\nCOMMIT\n',
  );
  expect(emptyInput([chain], [jump, jump]).lines).toEqual([
    '*filter',
    ':KUBE-A - [0:0]',
    '-D INPUT -m comment --comment c -j KUBE-A',
    '-D INPUT -m comment --comment c -j KUBE-A',
    'COMMIT',
  ]);
  expect(deleteInput([chain]).lines).toEqual(['*filter', '-X KUBE-A', 'COMMIT']);
  expect(deleteInput([]).text).toBe('');
});
