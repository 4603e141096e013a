import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelError } from '../errno/errno.ts';
import { type Family, families } from '../ip/address.ts';
import { restoreError } from './errors.ts';
import { opaqueTables } from './opaque-table.ts';
import { type ProcessResult, type RunProcess, searchPath } from './process.ts';

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

/** What a search may take. */
export interface SearchOptions {
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/**
 * Finds what the rest of the node uses: the flavour in which kubelet left its hint or canary, else the one that
 * holds more rules, else nft. Where the flavours have no programs of their own, plain `iptables` it is. Throws KernelError if a
 * flavour cannot be read: the choice is made once, and what is not known must not decide it.
 */
export async function findIptables(
  machine: Machine,
  { pause = sleep }: SearchOptions = {},
): Promise<Iptables> {
  const [hasNft, hasLegacy] = await Promise.all([
    machine.hasProgram('iptables-nft-restore'),
    machine.hasProgram('iptables-legacy-restore'),
  ]);
  if (hasNft && hasLegacy) {
    const flavour = await usedFlavour(machine, pause);
    return { flavour, infix: `-${flavour}` };
  }
  if (hasNft) return { flavour: 'nft', infix: '-nft' };
  if (hasLegacy) return { flavour: 'legacy', infix: '-legacy' };
  const { stdout } = await version(machine, { family: 'IPv4', infix: '', pause });
  return { flavour: stdout.includes('nf_tables') ? 'nft' : 'legacy', infix: '' };
}

type Pause = (milliseconds: number) => Promise<void>;

async function usedFlavour(machine: Machine, pause: Pause): Promise<Flavour> {
  const [nft, legacy] = await Promise.all([
    savedTexts(machine, { flavour: 'nft', pause }),
    savedTexts(machine, { flavour: 'legacy', pause }),
  ]);
  if (nft.length === 0) return 'legacy';
  if (nft.some(hasHint) || (await hasOpaqueHint(machine, nft))) return 'nft';
  if (legacy.some(hasHint)) return 'legacy';
  return countRules(legacy) > countRules(nft) ? 'legacy' : 'nft';
}

/** Everything that a flavour holds, by family; nothing of families that the kernel does not have in it. */
async function savedTexts(
  machine: Machine,
  { flavour, pause }: { flavour: Flavour; pause: Pause },
): Promise<readonly string[]> {
  const texts = await Promise.all(
    families.map(async (family) => {
      if (flavour === 'legacy' && (await machine.legacyTables(family)).length === 0) return [];
      const program = `${baseName(family)}-${flavour}-save`;
      if (!(await machine.hasProgram(program))) return [];
      const result = await patiently(() => runReading(machine, [program]), {
        pause,
        isDone: ({ status, stderr }) => status === 0 || lacksFlavour(stderr),
      });
      if (result.status === 0) return [result.stdout];
      if (lacksFlavour(result.stderr)) return [];
      throw restoreError(`read ${family} rules of ${flavour}`, { text: '', lines: [] }, result);
    }),
  );
  return texts.flat();
}

function runReading(machine: Machine, [program, ...parameters]: readonly [string, ...string[]]) {
  return machine.run(program, parameters, { timeout: processTimeout });
}

/** The kernel was not built with nf_tables, or not with this family of it. */
export function lacksFlavour(stderr: string): boolean {
  return (
    /not supported/i.test(stderr) || /(generation id|initialize nft): Invalid arg/.test(stderr)
  );
}

/** Milliseconds before each further attempt to run a program that only reads. */
const readPauses: readonly number[] = [100, 1000];

/** Runs a program until it is done, with growing pauses; the last result. */
async function patiently(
  run: () => Promise<ProcessResult>,
  { pause, isDone }: { pause: Pause; isDone: (result: ProcessResult) => boolean },
): Promise<ProcessResult> {
  let result = await run();
  for (const milliseconds of readPauses) {
    if (isDone(result)) break;
    await pause(milliseconds);
    result = await run();
  }
  return result;
}

/** kubelet's chains in a mangle table that cannot be printed. */
async function hasOpaqueHint(machine: Machine, texts: readonly string[]): Promise<boolean> {
  if (!texts.some((text) => opaqueTables(text).includes('mangle'))) return false;
  const found = families.flatMap((family) =>
    hintChains.map(async (chain) => {
      const program = `${baseName(family)}-nft`;
      const { status } = await runReading(machine, [program, '-t', 'mangle', '-S', chain]);
      return status === 0;
    }),
  );
  return (await Promise.all(found)).includes(true);
}

const hintChains = ['KUBE-IPTABLES-HINT', 'KUBE-KUBELET-CANARY'];

/** kubelet's mark for others to find; it stands in the mangle table. */
function hasHint(saved: string): boolean {
  const mangle = saved.split('\n*').find((table) => /^\*?mangle\n/.test(table));
  return hintChains.some((chain) => mangle?.includes(`\n:${chain} `));
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
  where: { family: Family; infix: string } & SearchOptions,
): Promise<Version> {
  const { stdout } = await version(machine, where);
  const numbers = /v(\d+(?:\.\d+)+)/.exec(stdout)?.[1]?.split('.').map(Number);
  return { numbers: numbers ?? [1, 4, 11], line: stdout.trim() };
}

async function version(
  machine: Machine,
  { family, infix, pause = sleep }: { family: Family; infix: string } & SearchOptions,
): Promise<{ stdout: string }> {
  const program = `${baseName(family)}${infix}`;
  const operation = `look for ${family} iptables`;
  if (!(await machine.hasProgram(`${program}-restore`))) {
    throw new KernelError(operation, 'ENOENT', {
      detail: `no ${program}-restore in PATH: install the package iptables`,
    });
  }
  const isDone = ({ status }: ProcessResult) => status === 0;
  const result = await patiently(() => runReading(machine, [program, '--version']), {
    pause,
    isDone,
  });
  if (!isDone(result)) throw restoreError(operation, { text: '', lines: [] }, result);
  return result;
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
