import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { KernelError } from '../errno/errno.ts';
import { type Family, families } from '../ip/address.ts';
import { restoreError } from './errors.ts';
import { opaqueTables } from './opaque-table.ts';
import { type ProcessResult, type RunProcess, searchPath } from './process.ts';

/** The packet filter that iptables programs. Both may hold rules at the same time. */
export type Flavour = 'nft' | 'legacy';

/** The iptables programs that rules are written with on this node. */
export interface Iptables {
  readonly flavour: Flavour;
  /** The middle part of the programs' names: `iptables-nft-restore`, or just `iptables-restore`. */
  readonly infix: '' | '-nft' | '-legacy';
}

/** What is looked up on the machine to find iptables. */
export interface Machine {
  readonly run: RunProcess;
  /** Whether a program of that name can be started. */
  hasProgram(name: string): Promise<boolean>;
  /** The legacy tables that exist in this namespace. Listing any other table would create it. */
  legacyTables(family: Family): Promise<readonly string[]>;
}

/** How long one program may run, in milliseconds. A restore may wait for a lock. */
export const processTimeout = 60_000;

/** The first part of the programs' names. */
export function baseName(family: Family): 'iptables' | 'ip6tables' {
  return family === 'IPv4' ? 'iptables' : 'ip6tables';
}

/** What the search for iptables uses. */
export interface SearchOptions {
  readonly pause?: (milliseconds: number) => Promise<void>;
}

/**
 * Finds the iptables that the rest of the node uses: the flavour with kubelet's hint or canary, else the one with more rules, else
 * nft. If there are no programs for single flavours, it is plain `iptables`. Throws KernelError if a flavour cannot be read, as the
 * choice is made once and must not depend on missing data.
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
  await turn();
  if (nft.some(hasHint) || (await hasOpaqueHint(machine, nft))) return 'nft';
  await turn();
  if (legacy.some(hasHint)) return 'legacy';
  return countRules(legacy) > countRules(nft) ? 'legacy' : 'nft';
}

/** The rules of a flavour, by family; none for families that the kernel lacks in it. */
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

/** Whether the kernel lacks nf_tables, or this family of it. */
export function lacksFlavour(stderr: string): boolean {
  return (
    /not supported/i.test(stderr) || /(generation id|initialize nft): Invalid arg/.test(stderr)
  );
}

/** The pauses before further attempts of a program that only reads, in milliseconds. */
const readPauses: readonly number[] = [100, 1000];

/** Runs a program until it succeeds, with growing pauses. Returns the last result. */
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

/** Whether kubelet's chains are in a mangle table that cannot be printed. */
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

/** Whether kubelet's hint is there, a chain of the mangle table. */
function hasHint(saved: string): boolean {
  const start = saved.search(/^\*mangle$/m);
  if (start < 0) return false;
  const end = saved.indexOf('\n*', start + 1);
  const mangle = saved.slice(start, end < 0 ? saved.length : end);
  return hintChains.some((chain) => mangle.includes(`\n:${chain} `));
}

/** Counts without making a list: there may be 100,000. */
function countRules(texts: readonly string[]): number {
  let count = 0;
  for (const text of texts)
    for (let at = text.indexOf('\n-A '); at >= 0; at = text.indexOf('\n-A ', at + 1)) count++;
  return count;
}

/** A version from `iptables --version`: its numbers, and the whole line for messages. */
export interface Version {
  readonly numbers: readonly number[];
  readonly line: string;
}

/** Runs a family's iptables for its version. Throws ENOENT if there is none. */
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

/** Whether a version is at least, say, 1.6.2. */
export function isAtLeast({ numbers }: Version, wanted: readonly number[]): boolean {
  for (const [index, want] of wanted.entries()) {
    const have = numbers[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

/** Whether this machine has a program. */
export async function hasProgram(name: string): Promise<boolean> {
  const found = searchPath().map((folder) => access(join(folder, name), constants.X_OK));
  return (await Promise.allSettled(found)).some(({ status }) => status === 'fulfilled');
}
