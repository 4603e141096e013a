import { expect, test } from 'vitest';
import type { Family } from '../ip/address.ts';
import { findIptables, isAtLeast, type Machine, probeVersion } from './iptables.ts';

interface Situation {
  /** Programs that are installed, by the end of their names: `-nft`, `-legacy`, or '' for plain ones. */
  readonly infixes: readonly string[];
  /** What `<program>` prints; the kernel lacks what a program is for that is not named here. */
  readonly prints?: Readonly<Record<string, string>>;
  /** What `<program>` says when it fails, so often, before it prints. */
  readonly fails?: Readonly<Record<string, readonly string[]>>;
  readonly legacyTables?: Partial<Record<Family, readonly string[]>>;
}

/** A machine that notes what was run on it. */
function machine({ infixes, prints = {}, fails = {}, legacyTables = {} }: Situation) {
  const ran: string[] = [];
  const made: Machine = {
    async run(command, parameters) {
      const tries = ran.filter((program) => program === command).length;
      ran.push(command);
      const failure = fails[command]?.[tries];
      if (failure !== undefined) return { status: 4, stdout: '', stderr: failure };
      const stdout = prints[[command, ...parameters].join(' ')] ?? prints[command];
      if (stdout !== undefined) return { status: 0, stdout, stderr: '' };
      return { status: 1, stdout: '', stderr: 'Failed to initialize nft: Protocol not supported' };
    },
    hasProgram: async (name) =>
      infixes.some((infix) => new RegExp(`^ip6?tables${infix}-(restore|save)$`).test(name)),
    legacyTables: async (family) => legacyTables[family] ?? [],
  };
  return { ...made, ran };
}

const filter = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n';
const empty = '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n';
const mangle = (chain: string) => `*mangle\n:INPUT ACCEPT [0:0]\n:${chain} - [0:0]\nCOMMIT\n`;
const both = ['-nft', '-legacy'];
const inUse = { IPv4: ['filter'], IPv6: [] };

test.each<[string, Situation, string]>([
  ['nothing anywhere is nft', { infixes: both, prints: { 'iptables-nft-save': '' } }, 'nft -nft'],
  [
    "kubelet's hint in nft wins over more legacy rules",
    {
      infixes: both,
      prints: {
        'iptables-nft-save': `${empty}${mangle('KUBE-IPTABLES-HINT')}`,
        'iptables-legacy-save': filter,
      },
      legacyTables: inUse,
    },
    'nft -nft',
  ],
  [
    "kubelet's canary for IPv6 alone counts as well",
    {
      infixes: both,
      prints: {
        'iptables-nft-save': '',
        'ip6tables-nft-save': mangle('KUBE-KUBELET-CANARY'),
        'iptables-legacy-save': filter,
      },
      legacyTables: inUse,
    },
    'nft -nft',
  ],
  [
    "kubelet's canary in legacy wins over more nft rules",
    {
      infixes: both,
      prints: {
        'iptables-nft-save': filter,
        'iptables-legacy-save': `${empty}${mangle('KUBE-KUBELET-CANARY')}`,
      },
      legacyTables: inUse,
    },
    'legacy -legacy',
  ],
  [
    'a chain of that name elsewhere than in mangle is no hint',
    {
      infixes: both,
      prints: {
        'iptables-nft-save': filter,
        'iptables-legacy-save': '*nat\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n',
      },
      legacyTables: inUse,
    },
    'nft -nft',
  ],
  [
    'without hints more rules win',
    {
      infixes: both,
      prints: { 'iptables-nft-save': empty, 'iptables-legacy-save': filter },
      legacyTables: inUse,
    },
    'legacy -legacy',
  ],
  [
    'as many rules in both is nft',
    {
      infixes: both,
      prints: { 'iptables-nft-save': filter, 'iptables-legacy-save': filter },
      legacyTables: inUse,
    },
    'nft -nft',
  ],
  ['a kernel without nf_tables is legacy', { infixes: both }, 'legacy -legacy'],
  ['nft programs alone', { infixes: ['-nft'] }, 'nft -nft'],
  ['legacy programs alone', { infixes: ['-legacy'] }, 'legacy -legacy'],
  [
    'plain programs that say they are nft',
    { infixes: [''], prints: { iptables: 'iptables v1.8.9 (nf_tables)\n' } },
    'nft ',
  ],
  [
    'plain programs of old',
    { infixes: [''], prints: { iptables: 'iptables v1.6.1\n' } },
    'legacy ',
  ],
])('%s', async (_, situation, expected) => {
  const { flavour, infix } = await findIptables(machine(situation));
  expect(`${flavour} ${infix}`).toBe(expected);
});

test('a legacy table that is not in use is not looked at', async () => {
  const unused = machine({ infixes: both, prints: { 'iptables-nft-save': '' } });
  await findIptables(unused);
  expect(unused.ran.filter((program) => program.includes('legacy'))).toEqual([]);
});

const busy = 'iptables-nft-save: Resource temporarily unavailable';

/** The search in a situation, with the pauses that it made. */
async function searched(situation: Situation) {
  const pauses: number[] = [];
  const pause = async (milliseconds: number) => void pauses.push(milliseconds);
  const [found] = await Promise.allSettled([findIptables(machine(situation), { pause })]);
  return { found, pauses };
}

test.each([
  ['iptables-nft-save', 'IPv4', 'nft'],
  ['ip6tables-nft-save', 'IPv6', 'nft'],
  ['iptables-legacy-save', 'IPv4', 'legacy'],
])(
  'a failure of %s decides nothing: it is run again, and then the search fails',
  async (program, family, flavour) => {
    const situation = {
      infixes: both,
      prints: {
        'iptables-nft-save': mangle('KUBE-IPTABLES-HINT'),
        'ip6tables-nft-save': '',
        'iptables-legacy-save': filter,
      },
      legacyTables: inUse,
    };
    const twice = await searched({ ...situation, fails: { [program]: [busy, busy] } });
    expect(twice.found).toMatchObject({ value: { flavour: 'nft' } });
    expect(twice.pauses).toEqual([100, 1000]);
    const always = await searched({ ...situation, fails: { [program]: [busy, busy, busy] } });
    expect(String(always.found.status === 'rejected' && always.found.reason)).toBe(
      `KernelError: read ${family} rules of ${flavour}: EBUSY (${busy})`,
    );
  },
);

test('a kernel that lacks nf_tables in other words is not asked again', async () => {
  const lacks = 'Could not fetch rule set generation id: Invalid argument';
  const fails = { 'iptables-nft-save': [lacks], 'ip6tables-nft-save': [lacks] };
  const { found, pauses } = await searched({ infixes: both, fails });
  expect([found, pauses]).toMatchObject([{ value: { flavour: 'legacy' } }, []]);
});

test("kubelet's canary counts in a mangle table that iptables cannot print", async () => {
  const { found } = await searched({
    infixes: both,
    prints: {
      'iptables-nft-save': "# Table `mangle' is incompatible, use 'nft' tool.\n",
      'iptables-nft -t mangle -S KUBE-KUBELET-CANARY': '-N KUBE-KUBELET-CANARY\n',
      'iptables-legacy-save': filter,
    },
    legacyTables: inUse,
  });
  expect(found).toMatchObject({ value: { flavour: 'nft' } });
});

test('a version that cannot be asked for is no old version', async () => {
  const pause = async () => undefined;
  const situation = { infixes: [''], prints: { iptables: 'iptables v1.8.9 (nf_tables)\n' } };
  const once = machine({ ...situation, fails: { iptables: [busy] } });
  const where = { family: 'IPv4', infix: '', pause } as const;
  expect((await probeVersion(once, where)).numbers).toEqual([1, 8, 9]);
  const never = machine({ ...situation, fails: { iptables: [busy, busy, busy] } });
  await expect(probeVersion(never, where)).rejects.toThrow('look for IPv4 iptables: EBUSY');
  await expect(
    findIptables(machine({ ...situation, fails: { iptables: [busy, busy, busy] } }), { pause }),
  ).rejects.toThrow('look for IPv4 iptables: EBUSY');
});

test('without iptables the error says what to install', async () => {
  await expect(findIptables(machine({ infixes: [] }))).rejects.toThrow(
    'look for IPv4 iptables: ENOENT (no iptables-restore in PATH: install the package iptables)',
  );
});

test.each([
  ['iptables v1.8.9 (nf_tables)\n', [1, 6, 2], true],
  ['iptables v1.6.2\n', [1, 6, 2], true],
  ['iptables v1.6.1\n', [1, 6, 2], false],
  ['iptables v1.6\n', [1, 6, 2], false],
  ['iptables v2.0\n', [1, 6, 2], true],
  ['iptables v1.10.0\n', [1, 6, 2], true],
  ['nonsense', [1, 6, 2], false],
])('%j at least %j: %j', async (line, wanted, expected) => {
  const plain = machine({ infixes: [''], prints: { ip6tables: line } });
  const version = await probeVersion(plain, { family: 'IPv6', infix: '' });
  expect(isAtLeast(version, wanted)).toBe(expected);
});
