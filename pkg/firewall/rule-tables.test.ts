import { expect, test } from 'vitest';
import { stretches } from '../../test/support/stretches.ts';
import type { RuleRemoval } from './firewall.ts';
import type { Machine } from './iptables.ts';
import type { ProcessResult } from './process.ts';
import { ProgramTables } from './rule-tables.ts';

/** A machine of which only the programs are there that are named, each with what it answers by turns; the last answer repeats. */
function machine(
  programs: Readonly<Record<string, readonly Partial<ProcessResult>[]>>,
  { legacy = true }: { legacy?: boolean } = {},
): { machine: Machine; ran: string[] } {
  const ran: string[] = [];
  const turns = new Map<string, number>();
  return {
    ran,
    machine: {
      hasProgram: async (name) => name in programs,
      legacyTables: async () => (legacy ? ['nat'] : []),
      async run(name, words, { input = '' }) {
        if (!words.includes('--version')) ran.push([name, ...words, input].join(' ').trim());
        const answers = programs[name] ?? [];
        const turn = turns.get(name) ?? 0;
        turns.set(name, turn + 1);
        const answer = answers[Math.min(turn, answers.length - 1)];
        return { status: 0, stdout: '', stderr: '', ...answer };
      },
    },
  };
}

const version = (flavour: string) => [{ stdout: `iptables v1.8.9 (${flavour})\n` }];
const nft = {
  'iptables-nft': version('nf_tables'),
  'iptables-nft-save': [{ stdout: '*nat\nCOMMIT\n' }],
  'iptables-nft-restore': [{}],
};
const removal: RuleRemoval = {
  table: 'nat',
  rules: ['-A PREROUTING -j KUBE-SERVICES'],
  emptied: ['KUBE-SERVICES', 'KUBE-MARK-MASQ'],
  deleted: ['KUBE-SERVICES'],
};

test('both flavours are read where both are there, and each family', async () => {
  const both = {
    ...nft,
    'iptables-legacy': version('legacy'),
    'iptables-legacy-save': [{ stdout: '*nat\n' }],
    'iptables-legacy-restore': [{}],
    'ip6tables-nft': version('nf_tables'),
    'ip6tables-nft-save': [{ stdout: '*filter\n' }],
    'ip6tables-nft-restore': [{}],
  };
  const found = await new ProgramTables(machine(both)).read();
  expect(found.map(({ family, flavour }) => `${family} ${flavour}`)).toEqual([
    'IPv4 nft',
    'IPv4 legacy',
    'IPv6 nft',
  ]);
});

test('a legacy table that nobody ever used is not looked at, which would make it', async () => {
  const programs = { 'iptables-legacy': version('legacy'), 'iptables-legacy-restore': [{}] };
  const { ran, machine: made } = machine(programs, { legacy: false });
  expect(await new ProgramTables({ machine: made }).read()).toEqual([]);
  expect(ran).toEqual([]);
});

test('programs without a flavour in their name are of the flavour that they say', async () => {
  const plain = {
    iptables: version('nf_tables'),
    'iptables-save': [{ stdout: '*nat\n' }],
    'iptables-restore': [{}],
  };
  const found = await new ProgramTables(machine(plain)).read();
  expect(found.map(({ flavour }) => flavour)).toEqual(['nft']);
});

test('a kernel without nf_tables has no rules there; any other failure is one', async () => {
  const failing = (stderr: string) =>
    new ProgramTables(machine({ ...nft, 'iptables-nft-save': [{ status: 1, stderr }] }));
  expect(await failing('iptables-save: Protocol not supported').read()).toEqual([]);
  await expect(failing('out of memory').read()).rejects.toThrow('read IPv4 rules of nft');
});

test('one restore empties chains, deletes rules as they were printed, then deletes chains', async () => {
  const { ran, machine: made } = machine(nft);
  const place = { family: 'IPv4', flavour: 'nft' } as const;
  const nothing: RuleRemoval = { table: 'filter', rules: [], emptied: [], deleted: [] };
  await new ProgramTables({ machine: made }).remove(place, [removal, nothing]);
  expect(ran).toEqual([
    'iptables-nft-restore --noflush -w 1 *nat\n:KUBE-SERVICES - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n' +
      '-D PREROUTING -j KUBE-SERVICES\n-X KUBE-SERVICES\nCOMMIT',
  ]);
});

test('a lock that another program holds is waited for, and not for ever', async () => {
  const held = { status: 4, stderr: 'Another app is currently holding the xtables lock.' };
  const pauses: number[] = [];
  const pause = async (milliseconds: number) => void pauses.push(milliseconds);
  const remove = (answers: readonly Partial<ProcessResult>[]) =>
    new ProgramTables({
      ...machine({ ...nft, 'iptables-nft-restore': answers }),
      pause,
    }).remove({ family: 'IPv4', flavour: 'nft' }, [removal]);
  await remove([held, held, {}]);
  expect(pauses).toEqual([500, 500]);
  await expect(remove([held])).rejects.toThrow('remove IPv4 rules of nft: EAGAIN');
  expect(pauses).toHaveLength(2 + 59);
});

test('the removal of many chains is made in pieces, and is one call', async () => {
  const { machine: programs, ran } = machine(nft);
  const emptied = Array.from({ length: 20_000 }, (_, index) => `KUBE-SEP-${index}`);
  const many = { table: 'nat', rules: [], emptied, deleted: emptied };
  const tables = new ProgramTables({ machine: programs });
  const { turns } = await stretches(
    () => 0,
    () => tables.remove({ family: 'IPv4', flavour: 'nft' }, [many]),
  );
  expect(turns).toBeGreaterThanOrEqual(8);
  expect(ran).toHaveLength(1);
  const lines = ran[0]?.split('\n') ?? [];
  expect(lines).toHaveLength(40_002);
  expect(lines.slice(1, 3)).toEqual([':KUBE-SEP-0 - [0:0]', ':KUBE-SEP-1 - [0:0]']);
  expect(lines.slice(-3)).toEqual(['-X KUBE-SEP-19998', '-X KUBE-SEP-19999', 'COMMIT']);
});
