import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readState } from './kernel-state.ts';
import type { Namespace } from './namespace.ts';

// Golden files are written by running with TEST_WRITE_GOLDEN=1: they come out in `golden/` of the folder KERNEL_SHARE, to be
// reviewed against the specification, line by line, before they are put in their place.

const folder = new URL('../kernel/golden/', import.meta.url);

/** Compares a node's whole state with `test/kernel/golden/<name>.txt`, waiting for it. A missing file is a failure. */
export async function expectGolden(namespace: Namespace, name: string): Promise<void> {
  if (process.env['TEST_WRITE_GOLDEN']) {
    writeGolden(name, await lastingState(namespace));
    return;
  }
  const golden = readFileSync(new URL(`${name}.txt`, folder), 'utf8');
  await expect.poll(() => `${readState(namespace)}\n`, { interval: 500 }).toBe(golden);
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
