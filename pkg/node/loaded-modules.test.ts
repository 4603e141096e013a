import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isModuleLoaded } from './loaded-modules.ts';

let root: string;
const release = '6.1.0';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'modules-'));
  mkdirSync(join(root, 'sys/module/ip_set'), { recursive: true });
  mkdirSync(join(root, 'proc'));
  writeFileSync(join(root, 'proc/modules'), '');
});

afterEach(() => rmSync(root, { recursive: true }));

test('one below /sys/module is loaded', () => {
  expect(isModuleLoaded('ip_set', { root, release })).toBe(true);
});

test('one that is built in is loaded, with either spelling of its name', () => {
  mkdirSync(join(root, 'lib/modules', release), { recursive: true });
  const list = 'kernel/net/netfilter/nf-tables.ko\nkernel/net/ipvs/ip_vs_rr.ko\n';
  writeFileSync(join(root, 'lib/modules', release, 'modules.builtin'), list);
  expect(isModuleLoaded('nf_tables', { root, release })).toBe(true);
  expect(isModuleLoaded('ip_vs', { root, release })).toBe(false);
});

test('one that nobody knows is not loaded', () => {
  expect(isModuleLoaded('ip_vs', { root, release })).toBe(false);
});

test('a kernel that loads no modules may be asked about all', () => {
  rmSync(join(root, 'proc/modules'));
  expect(isModuleLoaded('ip_vs', { root, release })).toBe(true);
});
