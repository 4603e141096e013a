import { expect, test } from 'vitest';
import { FakeFirewall } from './fake.ts';
import type { Ruleset } from './firewall.ts';
import { savedAfter } from './saved-after.ts';
import { parseChains } from './saved-rule.ts';

const accept = { matches: [], target: { target: 'ACCEPT' } } as const;
const ruleset: Ruleset = {
  chains: [
    {
      table: 'nat',
      name: 'KUBE-ONE',
      rules: [accept, { matches: [], target: { target: 'jump', chain: 'KUBE-TWO' } }],
    },
    { table: 'nat', name: 'KUBE-TWO', rules: [] },
    { table: 'filter', name: 'KUBE-ONE', rules: [accept] },
  ],
  jumps: [
    { table: 'nat', from: 'OUTPUT', comment: 'one', to: 'KUBE-ONE' },
    { table: 'filter', from: 'INPUT', comment: 'one', to: 'KUBE-ONE' },
  ],
};
const family = 'IPv4';

/** A firewall with rules of others, and an old rule of ours. */
function firewall(): FakeFirewall {
  const made = new FakeFirewall();
  made.insertRule(family, { table: 'nat', rule: '-A OUTPUT -j OTHERS' });
  made.insertRule(family, { table: 'nat', rule: '-A OTHERS -j RETURN' });
  made.insertRule(family, { table: 'nat', rule: '-A KUBE-ONE -j DROP' });
  return made;
}

test('it is what iptables prints once the ruleset is applied', async () => {
  const after = firewall();
  await after.apply(family, ruleset);
  const expected = parseChains(after.dump(family));
  expect(parseChains(savedAfter(firewall().dump(family), { family, ruleset }))).toEqual(expected);
});

test('a ruleset that is applied again changes nothing', () => {
  const once = savedAfter(firewall().dump(family), { family, ruleset });
  expect(savedAfter(once, { family, ruleset })).toBe(once);
});

test('tables that do not exist yet are made', () => {
  const chains = parseChains(savedAfter('', { family, ruleset }));
  expect([...chains.keys()].sort()).toEqual(['filter', 'nat']);
});
