import { expect, test } from 'vitest';
import { families } from '../ip/address.ts';
import { isLockHeld, type Ruleset } from './firewall.ts';
import type { ProcessResult } from './process.ts';
import { RestoreFirewall } from './restore.ts';

const ruleset: Ruleset = {
  chains: [
    {
      table: 'nat',
      name: 'KUBE-A',
      rules: [
        { matches: [], target: { target: 'RETURN' } },
        {
          matches: [{ match: 'set', set: 'KUBE-SET', directions: ['dst', 'dst'] }],
          target: { target: 'MARK', operation: 'or', value: 1 },
        },
      ],
    },
  ],
  jumps: [{ table: 'nat', from: 'OUTPUT', comment: 'a b', to: 'KUBE-A' }],
};

const saved = `*nat
:OUTPUT ACCEPT [0:0]
:KUBE-A - [0:0]
-A OUTPUT -m comment --comment "a b" -j KUBE-A
-A KUBE-A -j RETURN
-A KUBE-A -m set --match-set KUBE-SET dst,dst -j MARK --set-xmark 0x1/0x1
COMMIT
`;

/**
 * An nft iptables of which saving prints `state.saved` and restoring ends as told, once each. With `legacy` programs besides, the
 * one in use has to be searched for.
 */
function scripted(
  ends: readonly Partial<ProcessResult>[] = [],
  { version = 'iptables v1.8.9 (nf_tables)', hasLegacy = false } = {},
) {
  const state = { saved, generation: 1, saving: Promise.resolve() };
  const ran: string[] = [];
  const inputs: string[] = [];
  const pauses: number[] = [];
  const remaining = [...ends];
  const firewall = new RestoreFirewall({
    generation: () => state.generation,
    pause: async (milliseconds) => void pauses.push(milliseconds),
    machine: {
      async run(command, parameters, { input }) {
        ran.push([command, ...parameters].join(' '));
        const done = { status: 0, stdout: '', stderr: '' };
        if (parameters.includes('--version')) return { ...done, stdout: version };
        if (command.endsWith('-save')) {
          await state.saving;
          return { ...done, stdout: state.saved };
        }
        inputs.push(input ?? '');
        const end = { ...done, ...remaining.shift() };
        if (end.status === 0) state.generation++;
        return end;
      },
      hasProgram: async (name) => name.includes('-nft') || (hasLegacy && name.includes('-legacy')),
      legacyTables: async () => [],
    },
  });
  return { firewall, state, ran, inputs, pauses };
}

/** The programs that ran, without what they were told. */
function names(ran: readonly string[]): string[] {
  return ran.map((line) => line.split(' ')[0] ?? '');
}

test('one restore, that waits for the lock, between two saves, the last of which nobody waits for', async () => {
  const { firewall, ran } = scripted();
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  expect(ran).toEqual([
    'iptables-nft --version',
    'iptables-nft-save',
    'iptables-nft-restore --noflush -w 1',
    'iptables-nft-save',
  ]);
});

test('both families at a start: the first rules wait for one program each', async () => {
  const { firewall, state, ran } = scripted([], { hasLegacy: true });
  await Promise.all(families.map((family) => firewall.capabilities(family)));
  expect(names(ran).sort()).toEqual([
    ...['ip6tables-nft', 'ip6tables-nft-save', 'iptables-nft', 'iptables-nft-save'],
  ]);
  ran.length = 0;
  await Promise.all(families.map((family) => firewall.apply(family, ruleset)));
  const restores = ['iptables-nft-restore', 'ip6tables-nft-restore'];
  expect(names(ran).filter((name) => name.endsWith('-restore'))).toEqual(restores);
  await Promise.all(families.map((family) => firewall.check(family, ruleset)));
  expect(names(ran)).toEqual([...restores, 'iptables-nft-save', 'ip6tables-nft-save']);
  expect(state.generation).toBe(3);
});

test('what the search read is read again if something has changed since', async () => {
  const { firewall, state, ran } = scripted([], { hasLegacy: true });
  await firewall.capabilities('IPv4');
  ran.length = 0;
  state.generation++;
  await firewall.apply('IPv4', ruleset);
  expect(names(ran).slice(0, 2)).toEqual(['iptables-nft-save', 'iptables-nft-restore']);
});

test('rules are written without waiting for how they are printed back; a check waits', async () => {
  const { firewall, state, ran } = scripted([], { hasLegacy: true });
  await firewall.capabilities('IPv4');
  ran.length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  state.saving = promise;
  await firewall.apply('IPv4', ruleset);
  const checked = firewall.check('IPv4', ruleset);
  resolve();
  expect(await checked).toBe('same');
  expect(names(ran)).toEqual(['iptables-nft-restore', 'iptables-nft-save']);
});

test('rules that cannot be read back are unknown, whatever can be read later', async () => {
  const { firewall, state } = scripted([], { hasLegacy: true });
  await firewall.capabilities('IPv4');
  state.saving = Promise.reject(new Error('no memory'));
  await firewall.apply('IPv4', ruleset);
  await expect(firewall.check('IPv4', ruleset)).resolves.toBe('unknown');
  state.saving = Promise.resolve();
  await expect(firewall.check('IPv4', ruleset)).resolves.toBe('unknown');
  await firewall.apply('IPv4', ruleset);
  await expect(firewall.check('IPv4', ruleset)).resolves.toBe('same');
});

test('rules that are written again at once are read back once', async () => {
  const { firewall, ran } = scripted();
  await Promise.all([firewall.apply('IPv4', ruleset), firewall.apply('IPv4', ruleset)]);
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(names(ran).slice(1)).toEqual([
    ...['iptables-nft-save', 'iptables-nft-restore'],
    ...['iptables-nft-save', 'iptables-nft-restore', 'iptables-nft-save'],
  ]);
});

test('jumps are part of the same input, and only those that are missing', async () => {
  const { firewall, state, inputs } = scripted();
  await firewall.apply('IPv4', ruleset);
  state.saved = '';
  state.generation++;
  await firewall.apply('IPv4', ruleset);
  const chains =
    '*nat\n:KUBE-A - [0:0]\n-A KUBE-A -j RETURN\n-A KUBE-A -m set --match-set KUBE-SET dst,dst -j MARK --or-mark 0x00000001\n';
  expect(inputs).toEqual([
    `${chains}COMMIT\n`,
    `${chains}-I OUTPUT -m comment --comment "a b" -j KUBE-A\nCOMMIT\n`,
  ]);
});

test('while the generation stands still nothing is run to check', async () => {
  const { firewall, state, ran } = scripted();
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  ran.splice(0);
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(ran).toEqual([]);
  state.generation++;
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(ran).toEqual(['iptables-nft-save']);
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(ran).toEqual(['iptables-nft-save']);
});

test('while the generation stands still jumps are not looked for again', async () => {
  const { firewall, ran } = scripted();
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  ran.splice(0);
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  expect(names(ran)).toEqual(['iptables-nft-restore', 'iptables-nft-save']);
});

test('after a write of fewer tables, jumps of the others are looked for', async () => {
  const { firewall, state, inputs } = scripted();
  const filter: Ruleset = {
    chains: [{ table: 'filter', name: 'KUBE-B', rules: [] }],
    jumps: [{ table: 'filter', from: 'INPUT', comment: 'c d', to: 'KUBE-B' }],
  };
  const [before = '', own = ''] = saved.split('-A OUTPUT -m comment --comment "a b" -j KUBE-A\n');
  const ofFilter = [
    ...['*filter', ':INPUT ACCEPT [0:0]', ':KUBE-B - [0:0]'],
    ...['-A INPUT -m comment --comment "c d" -j KUBE-B', 'COMMIT', ''],
  ].join('\n');
  state.saved = `${before}${own}${ofFilter}`;
  await firewall.apply('IPv4', filter);
  expect(await firewall.check('IPv4', filter)).toBe('same');
  await firewall.apply('IPv4', {
    chains: [...ruleset.chains, ...filter.chains],
    jumps: [...ruleset.jumps, ...filter.jumps],
  });
  expect(inputs.at(-1)).toContain('-I OUTPUT -m comment --comment "a b" -j KUBE-A');
  expect(inputs.at(-1)).not.toContain('-I INPUT');
});

test('a generation that moved while the rules were read is not trusted', async () => {
  const { firewall, state, ran } = scripted();
  Object.defineProperty(state, 'saved', { get: () => (state.generation++, saved) });
  await firewall.apply('IPv4', ruleset);
  await firewall.check('IPv4', ruleset);
  ran.splice(0);
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
  expect(ran).toEqual(['iptables-nft-save']);
});

test('what iptables-save lacks right after writing is a difference from the beginning', async () => {
  const { firewall, state } = scripted();
  state.saved = saved.replace('-A KUBE-A -j RETURN\n', '');
  await firewall.apply('IPv4', ruleset);
  expect(await firewall.check('IPv4', ruleset)).toBe('different');
});

test('after a failed write nothing is known', async () => {
  const { firewall } = scripted([{}, { status: 2, stderr: 'bad' }]);
  await firewall.apply('IPv4', ruleset);
  await expect(firewall.apply('IPv4', ruleset)).rejects.toThrow('apply IPv4 rules: EINVAL (bad)');
  expect(await firewall.check('IPv4', ruleset)).toBe('unknown');
});

test.each([
  ['iptables v1.6.1', 'iptables-nft-restore --noflush'],
  ['iptables v1.6.2', 'iptables-nft-restore --noflush -w 1 -W 100000'],
  ['iptables v1.8.7 (legacy)', 'iptables-nft-restore --noflush -w 1 -W 100000'],
  ['iptables v1.8.8 (legacy)', 'iptables-nft-restore --noflush -w 1'],
])('%s is told to wait for the lock as it knows how to', async (version, command) => {
  const { firewall, ran } = scripted([], { version });
  await firewall.apply('IPv4', ruleset);
  expect(ran).toContain(command);
});

const held = {
  status: 4,
  stderr: `Can't lock /run/xtables.lock: Resource temporarily unavailable
Another app is currently holding the xtables lock. Stopped waiting after 1s.`,
};

test('a held lock is reported at once, and is no error of the rules', async () => {
  const { firewall, pauses, inputs } = scripted([held]);
  const applied = firewall.apply('IPv4', ruleset);
  await expect(applied).rejects.toSatisfy(isLockHeld);
  await expect(applied).rejects.toThrow(
    'apply IPv4 rules: EAGAIN (Another app is currently holding the xtables lock. Stopped waiting after 1s.)',
  );
  expect([pauses, inputs.length]).toEqual([[], 1]);
  await firewall.apply('IPv4', ruleset);
  expect(await firewall.check('IPv4', ruleset)).toBe('same');
});

test('a program that was faster is given way to, in growing pauses', async () => {
  const faster = { status: 4, stderr: 'Resource temporarily unavailable' };
  const patient = scripted([faster, faster]);
  await patient.firewall.apply('IPv4', ruleset);
  expect(patient.pauses).toEqual([100, 400]);
  const stuck = scripted([faster, faster, faster]);
  const refused = stuck.firewall.apply('IPv4', ruleset);
  await expect(refused).rejects.toThrow('apply IPv4 rules: EBUSY');
  await expect(refused).rejects.not.toSatisfy(isLockHeld);
});

test('what is asked for one family at once is done one after another', async () => {
  const { firewall, ran } = scripted([{ status: 2, stderr: 'bad' }]);
  const asked = [firewall.apply('IPv4', ruleset), firewall.apply('IPv4', ruleset)];
  const checked = firewall.check('IPv4', ruleset);
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
  ]);
  expect(await checked).toBe('same');
  expect(
    ran.filter((line) => !line.includes('--version')).map((line) => line.split(' ')[0]),
  ).toEqual([
    ...['iptables-nft-save', 'iptables-nft-restore'],
    ...['iptables-nft-save', 'iptables-nft-restore', 'iptables-nft-save'],
  ]);
});

test.each<[string, Partial<ProcessResult>, RegExp]>([
  [
    'a missing module, nft',
    {
      status: 4,
      stderr:
        'Warning: Extension set revision 4 not supported, missing kernel module?\niptables-nft-restore v1.8.9 (nf_tables): \nline 4: RULE_APPEND failed (No such file or directory): rule in chain KUBE-A',
    },
    /EOPNOTSUPP \(the kernel lacks the module xt_set\n/,
  ],
  [
    'a missing module that iptables does not name',
    { status: 4, stderr: 'line 4: RULE_APPEND failed (No such file or directory): rule in KUBE-A' },
    /EOPNOTSUPP \(is one of these kernel modules missing: xt_set, xt_MARK\?/,
  ],
  [
    'a missing module, legacy',
    { status: 1, stderr: 'iptables-restore: line 5 failed' },
    /EOPNOTSUPP \(is one of these kernel modules missing: xt_set, xt_MARK\?/,
  ],
  [
    'a missing extension of iptables',
    { status: 2, stderr: "Couldn't load match `set':No such file or directory\nline: 4" },
    /EOPNOTSUPP \(this iptables lacks the extension set\n/,
  ],
  [
    'no permission',
    { status: 4, stderr: 'Could not fetch rule set generation id: Permission denied' },
    /EPERM \(Could not fetch/,
  ],
])('%s', async (_, end, message) => {
  const { firewall, pauses } = scripted([end]);
  await expect(firewall.apply('IPv4', ruleset)).rejects.toThrow(message);
  expect(pauses).toEqual([]);
});

test('a failed line is shown among its neighbours', async () => {
  const stderr = "Set KUBE-SET doesn't exist.\n\nError occurred at line: 4\nTry `x -h'\n";
  const { firewall } = scripted([{ status: 2, stderr }]);
  await expect(firewall.apply('IPv4', ruleset)).rejects.toThrow(
    `apply IPv4 rules: ENOENT (Set KUBE-SET doesn't exist.
  Error occurred at line: 4
      1: *nat
      2: :KUBE-A - [0:0]
      3: -A KUBE-A -j RETURN
  >   4: -A KUBE-A -m set --match-set KUBE-SET dst,dst -j MARK --or-mark 0x00000001
      5: COMMIT)`,
  );
});
