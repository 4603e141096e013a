import { expect, test } from 'vitest';
import type { Family } from '../ip/address.ts';
import { findIptables, isAtLeast, type Machine, probeVersion } from './iptables.ts';

interface Situation {
  /** Programs that are installed, by the end of their names: `-nft`, `-legacy`, or '' for plain ones. */
  readonly infixes: readonly string[];
  /** What `<program>` prints; a program that is not named here fails. */
  readonly prints?: Readonly<Record<string, string>>;
  readonly legacyTables?: Partial<Record<Family, readonly string[]>>;
}

/** A machine that notes what was run on it. */
function machine({ infixes, prints = {}, legacyTables = {} }: Situation) {
  const ran: string[] = [];
  const made: Machine = {
    async run(command) {
      ran.push(command);
      const stdout = prints[command];
      return { status: stdout === undefined ? 1 : 0, stdout: stdout ?? '', stderr: '' };
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
