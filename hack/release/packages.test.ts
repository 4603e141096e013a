import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { licenceText, packageFolders, readPackage } from './packages.ts';
import { type Sbom, sbomOf } from './sbom.ts';

const folder = mkdtempSync(join(tmpdir(), 'package-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a file belongs to the innermost package', () => {
  expect(
    packageFolders([
      'cmd/kube-proxy/main.ts',
      'node_modules/pino/lib/a.js',
      'node_modules/pino/lib/b.js',
      'node_modules/@kubernetes/client-node/node_modules/yaml/index.js',
    ]),
  ).toEqual(['node_modules/@kubernetes/client-node/node_modules/yaml', 'node_modules/pino']);
});

test('the texts of a package come along', () => {
  writeFileSync(join(folder, 'LICENSE.md'), 'Do what you like.\n');
  writeFileSync(join(folder, 'package.json'), '{"name":"a","version":"1.0.0","license":"MIT"}');
  const found = readPackage(folder);
  expect(found).toEqual({ name: 'a', version: '1.0.0', license: 'MIT', text: 'Do what you like.' });
  expect(licenceText([found])).toBe('a 1.0.0 (MIT)\n\nDo what you like.\n');
});

test.each(['GPL-3.0-only', undefined])('a package with the licence %s is refused', (license) => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a', version: '1', license }));
  expect(() => readPackage(folder)).toThrow('a 1: licence');
});

test('a package that is not in the lock file is refused', () => {
  const document: Sbom = {
    components: [{ 'bom-ref': 'a@1' }, { 'bom-ref': 'b@1' }],
    dependencies: [{ ref: 'a@1', dependsOn: ['b@1'] }, { ref: 'b@1' }],
    metadata: { timestamp: 'now', component: { 'bom-ref': 'us@1' } },
    serialNumber: 'random',
  };
  const shipped = (name: string) => ({ name, version: '1', license: 'MIT', text: '' });
  expect(sbomOf(document, [shipped('a')])).toEqual({
    components: [{ 'bom-ref': 'a@1' }],
    dependencies: [{ ref: 'a@1', dependsOn: [] }],
    metadata: { component: { 'bom-ref': 'us@1' } },
  });
  expect(() => sbomOf(document, [shipped('c')])).toThrow('not in package-lock.json: c@1');
});
