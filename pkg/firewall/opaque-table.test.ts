import { expect, test } from 'vitest';
import type { Ruleset } from './firewall.ts';
import type { ProcessResult } from './process.ts';
import { RestoreFirewall } from './restore.ts';

const ruleset: Ruleset = {
  chains: [
    { table: 'nat', name: 'KUBE-A', rules: [{ matches: [], target: { target: 'RETURN' } }] },
    { table: 'filter', name: 'KUBE-F', rules: [{ matches: [], target: { target: 'DROP' } }] },
  ],
  jumps: [
    { table: 'nat', from: 'OUTPUT', comment: 'a b', to: 'KUBE-A' },
    { table: 'filter', from: 'INPUT', comment: 'c', to: 'KUBE-F' },
  ],
};

const natSaved = `*nat
:KUBE-A - [0:0]
-A OUTPUT -m comment --comment "a b" -j KUBE-A
-A KUBE-A -j RETURN
COMMIT
`;
const filterSaved = `*filter
:KUBE-F - [0:0]
-A INPUT -m comment --comment c -j KUBE-F
-A KUBE-F -j DROP
COMMIT
`;

/** An nft iptables that cannot print its table filter: its chain KUBE-F, and how often the jump to it stands. */
function started() {
  const filter = {
    isOpaque: true,
    chain: undefined as string | undefined,
    jumps: 0,
    isInUse: false,
  };
  const state = { generation: 1, nat: '' };
  const ran: string[] = [];
  const errors: string[] = [];
  const done = { status: 0, stdout: '', stderr: '' };
  function answer(command: string, parameters: readonly string[], input: string): ProcessResult {
    const words = parameters.join(' ');
    if (words === '--version') return { ...done, stdout: 'iptables v1.8.9 (nf_tables)' };
    if (command.endsWith('-save')) {
      const opaque = "# Table `filter' is incompatible, use 'nft' tool.\n";
      const printed = filter.chain === undefined ? '' : filterSaved;
      return { ...done, stdout: state.nat + (filter.isOpaque ? opaque : printed) };
    }
    if (command.endsWith('-restore')) return restore(input);
    if (words === '-t filter -S KUBE-F') {
      if (filter.chain === undefined)
        return { ...done, status: 1, stderr: "chain `KUBE-F' in table `filter' is incompatible" };
      return { ...done, stdout: `-N KUBE-F\n${filter.chain}` };
    }
    expect(words).toBe('-t filter -C INPUT -m comment --comment c -j KUBE-F');
    if (filter.chain === undefined)
      return { ...done, status: 2, stderr: "Chain 'KUBE-F' does not exist" };
    return { ...done, status: filter.jumps > 0 ? 0 : 1 };
  }
  function restore(input: string): ProcessResult {
    if (input.includes('-X KUBE-F') && filter.isInUse)
      return { ...done, status: 4, stderr: 'line 2: CHAIN_DEL failed (Device or resource busy)' };
    state.generation++;
    if (input.includes('*nat')) state.nat = /-[DX] /.test(input) ? '' : natSaved;
    if (input.includes(':KUBE-F'))
      filter.chain = input.includes('-A KUBE-F -j DROP') ? '-A KUBE-F -j DROP\n' : '';
    if (input.includes('-I INPUT')) filter.jumps++;
    if (input.includes('-D INPUT')) filter.jumps--;
    if (input.includes('-X KUBE-F')) filter.chain = undefined;
    return done;
  }
  const firewall = new RestoreFirewall({
    generation: () => state.generation,
    log: {
      error: (message, _, details) =>
        void errors.push(
          `${message}: ${String(details?.['family'])} ${String(details?.['table'])}`,
        ),
    },
    machine: {
      async run(command, parameters, { input = '' }) {
        ran.push([command, ...parameters].join(' '));
        return answer(command, parameters, input);
      },
      hasProgram: async (name) => name.includes('-nft'),
      legacyTables: async () => [],
    },
  });
  return { firewall, filter, state, ran, errors };
}

test('our jumps stand once in a table that iptables cannot print, however often rules are written', async () => {
  const { firewall, filter, state } = started();
  for (let round = 0; round < 3; round++) {
    state.generation++;
    await firewall.apply('IPv4', ruleset);
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
    expect([filter.chain, filter.jumps]).toEqual(['-A KUBE-F -j DROP\n', 1]);
  }
});

test('what somebody does to our rules in it is seen', async () => {
  const { firewall, filter, state } = started();
  await firewall.apply('IPv4', ruleset);
  filter.chain = '';
  state.generation++;
  expect(await firewall.check('IPv4', ruleset)).toBe('different');
  await firewall.apply('IPv4', ruleset);
  filter.jumps = 0;
  state.generation++;
  expect(await firewall.check('IPv4', ruleset)).toBe('different');
  await firewall.apply('IPv4', ruleset);
  expect([await firewall.check('IPv4', ruleset), filter.jumps]).toEqual(['same', 1]);
});

test('while nothing changes, nothing is run', async () => {
  const { firewall, ran } = started();
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  ran.length = 0;
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(ran).toEqual([]);
});

test('the table is named once, and again when it became so again', async () => {
  const { firewall, filter, state, errors } = started();
  const message = 'iptables cannot print a table: IPv4 filter';
  await firewall.apply('IPv4', ruleset);
  state.generation++;
  await firewall.check('IPv4', ruleset);
  expect(errors).toEqual([message]);
  for (const isOpaque of [false, true]) {
    filter.isOpaque = isOpaque;
    state.generation++;
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
  }
  expect(errors).toEqual([message, message]);
});

test('every jump is taken out of it, and a chain that is in use stays empty', async () => {
  const { firewall, filter } = started();
  await firewall.apply('IPv4', ruleset);
  filter.jumps = 3;
  filter.isInUse = true;
  await firewall.remove('IPv4', ruleset);
  expect([filter.chain, filter.jumps]).toEqual(['', 0]);
  filter.isInUse = false;
  await firewall.remove('IPv4', ruleset);
  expect(filter.chain).toBeUndefined();
});
