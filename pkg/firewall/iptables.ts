import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { KernelError } from '../errno/errno.ts';
import { type Family, families } from '../ip/address.ts';
import { type RunProcess, searchPath } from './process.ts';

/** Which of the kernel's two packet filters iptables programs: both can hold rules at once. */
export type Flavour = 'nft' | 'legacy';

/** The iptables programs that this node's rules are written with. */
export interface Iptables {
  readonly flavour: Flavour;
  /** The middle of the programs' names: `iptables-nft-restore`, or just `iptables-restore`. */
  readonly infix: '' | '-nft' | '-legacy';
}

/** What is asked of the machine to find iptables. */
export interface Machine {
  readonly run: RunProcess;
  /** Whether a program of that name can be started. */
  hasProgram(name: string): Promise<boolean>;
  /** The legacy tables that are in use in this namespace; looking at any other one would create it. */
  legacyTables(family: Family): Promise<readonly string[]>;
}

/** How long a single program may take, in milliseconds; restoring waits for other programs' locks. */
export const processTimeout = 60_000;

/** `iptables` or `ip6tables`, whatever follows in the name. */
export function baseName(family: Family): 'iptables' | 'ip6tables' {
  return family === 'IPv4' ? 'iptables' : 'ip6tables';
}

/**
 * Finds what the rest of the node uses: the flavour in which kubelet left its hint or canary, else the one that
 * holds more rules, else nft. Where the flavours have no programs of their own, plain `iptables` it is.
 */
export async function findIptables(machine: Machine): Promise<Iptables> {
  const [hasNft, hasLegacy] = await Promise.all([
    machine.hasProgram('iptables-nft-restore'),
    machine.hasProgram('iptables-legacy-restore'),
  ]);
  if (hasNft && hasLegacy) {
    const flavour = await usedFlavour(machine);
    return { flavour, infix: `-${flavour}` };
  }
  if (hasNft) return { flavour: 'nft', infix: '-nft' };
  if (hasLegacy) return { flavour: 'legacy', infix: '-legacy' };
  const { stdout } = await version(machine, { family: 'IPv4', infix: '' });
  return { flavour: stdout.includes('nf_tables') ? 'nft' : 'legacy', infix: '' };
}

async function usedFlavour(machine: Machine): Promise<Flavour> {
  const [nft, legacy] = await Promise.all([
    savedTexts(machine, 'nft'),
    savedTexts(machine, 'legacy'),
  ]);
  if (nft === undefined) return 'legacy';
  if (nft.some(hasHint)) return 'nft';
  if (legacy === undefined) return 'nft';
  if (legacy.some(hasHint)) return 'legacy';
  return countRules(legacy) > countRules(nft) ? 'legacy' : 'nft';
}

/** Everything that a flavour holds, or `undefined` if the kernel does not have it. */
async function savedTexts(
  machine: Machine,
  flavour: Flavour,
): Promise<readonly string[] | undefined> {
  const results = await Promise.all(
    families.map(async (family) => {
      if (flavour === 'legacy' && (await machine.legacyTables(family)).length === 0) return '';
      const program = `${baseName(family)}-${flavour}-save`;
      if (!(await machine.hasProgram(program))) return '';
      const { status, stdout } = await machine.run(program, [], { timeout: processTimeout });
      return status === 0 ? stdout : undefined;
    }),
  );
  const texts = results.filter((text) => text !== undefined);
  return texts.length === 0 ? undefined : texts;
}

/** kubelet's mark for others to find; it stands in the mangle table. */
function hasHint(saved: string): boolean {
  const mangle = saved.split('\n*').find((table) => /^\*?mangle\n/.test(table));
  return mangle !== undefined && /^:(KUBE-IPTABLES-HINT|KUBE-KUBELET-CANARY) /m.test(mangle);
}

function countRules(texts: readonly string[]): number {
  return texts.join('\n').split('\n-A ').length;
}

/** A version as `iptables --version` prints it: its numbers, and the whole line for people. */
export interface Version {
  readonly numbers: readonly number[];
  readonly line: string;
}

/** Asks a family's iptables for its version; ENOENT if there is none. */
export async function probeVersion(
  machine: Machine,
  where: { family: Family; infix: string },
): Promise<Version> {
  const { stdout } = await version(machine, where);
  const numbers = /v(\d+(?:\.\d+)+)/.exec(stdout)?.[1]?.split('.').map(Number);
  return { numbers: numbers ?? [1, 4, 11], line: stdout.trim() };
}

async function version(
  machine: Machine,
  { family, infix }: { family: Family; infix: string },
): Promise<{ stdout: string }> {
  const program = `${baseName(family)}${infix}`;
  if (!(await machine.hasProgram(`${program}-restore`))) {
    throw new KernelError(`look for ${family} iptables`, 'ENOENT', {
      detail: `no ${program}-restore in PATH: install the package iptables`,
    });
  }
  return machine.run(program, ['--version'], { timeout: processTimeout });
}

/** Whether a version is at least 1.6.2, say. */
export function isAtLeast({ numbers }: Version, wanted: readonly number[]): boolean {
  for (const [index, want] of wanted.entries()) {
    const have = numbers[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

/** This machine's programs. */
export async function hasProgram(name: string): Promise<boolean> {
  const found = searchPath().map((folder) => access(join(folder, name), constants.X_OK));
  return (await Promise.allSettled(found)).some(({ status }) => status === 'fulfilled');
}
