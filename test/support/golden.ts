import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readState } from './kernel-state.ts';
import type { Namespace } from './namespace.ts';

// Golden files are written by running with TEST_WRITE_GOLDEN=1: they come out in `golden/` of the folder KERNEL_SHARE, to be
// reviewed against the specification, line by line, before they are put in their place.

const folder = new URL('../kernel/golden/', import.meta.url);

/** What of a golden state is otherwise: every occurrence of a text, of which there must be one, is another. */
export type Differences = Readonly<Record<string, string>>;

/** Compares a node's whole state with `test/kernel/golden/<name>.txt`, waiting for it. A missing file is a failure. */
export async function expectGolden(
  namespace: Namespace,
  name: string,
  differences: Differences = {},
): Promise<void> {
  if (process.env['TEST_WRITE_GOLDEN']) {
    // What has differences has no file: it is compared once the file is in its place.
    if (Object.keys(differences).length === 0) writeGolden(name, await lastingState(namespace));
    return;
  }
  const golden = withDifferences(readFileSync(new URL(`${name}.txt`, folder), 'utf8'), differences);
  await expect.poll(() => `${readState(namespace)}\n`, { interval: 500 }).toBe(golden);
}

function withDifferences(golden: string, differences: Differences): string {
  let text = golden;
  for (const [from, to] of Object.entries(differences)) {
    if (!golden.includes(from)) throw new Error(`the golden state has no ${from}`);
    text = text.replaceAll(from, () => to);
  }
  return text;
}

/** The state once it has been the same for 3 seconds: drains and client resets are over. */
async function lastingState(namespace: Namespace): Promise<string> {
  let state = readState(namespace);
  for (let unchanged = 0; unchanged < 3; ) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = readState(namespace);
    unchanged = now === state ? unchanged + 1 : 0;
    state = now;
  }
  return state;
}

function writeGolden(name: string, state: string): void {
  const share = process.env['KERNEL_SHARE'];
  if (share === undefined) throw new Error('KERNEL_SHARE says where golden files are written to');
  mkdirSync(`${share}/golden`, { recursive: true });
  writeFileSync(`${share}/golden/${name}.txt`, `${state}\n`);
}
