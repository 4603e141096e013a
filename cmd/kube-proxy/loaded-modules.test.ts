import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { hasModule } from './loaded-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'modules-'));
const files = {
  loaded: join(folder, 'module'),
  list: join(folder, 'modules'),
  builtIn: join(folder, 'modules.builtin'),
};
mkdirSync(join(files.loaded, 'ip_vs'), { recursive: true });
writeFileSync(files.list, '');
writeFileSync(files.builtIn, 'kernel/net/netfilter/nf_tables.ko\n');
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['loaded', 'ip_vs', {}, true],
  ['built in', 'nf_tables', {}, true],
  ['neither', 'ip_set', {}, false],
  ['part of another name', 'tables', {}, false],
  ['not loaded, where the built-in ones are not known', 'nf_tables', { builtIn: '/none' }, false],
  ['not loaded, in a kernel without modules', 'ip_set', { list: '/none' }, true],
])('a module that is %s', (_, name, over, expected) => {
  expect(hasModule(name, { ...files, ...over })).toBe(expected);
});
