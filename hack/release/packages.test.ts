import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { licenceText, packageFolders, readPackage } from './packages.ts';
import { sbomOf } from './sbom.ts';

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
  expect(found).toEqual({
    folder,
    name: 'a',
    version: '1.0.0',
    license: 'MIT',
    text: 'Do what you like.',
  });
  expect(licenceText([found])).toBe('a 1.0.0 (MIT)\n\nDo what you like.\n');
});

test.each(['GPL-3.0-only', undefined])('a package with the licence %s is refused', (license) => {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a', version: '1', license }));
  expect(() => readPackage(folder)).toThrow('a 1: licence');
});

describe('the SBOM', () => {
  const integrity = 'sha512-q80=';
  const shipped = (name: string, version = '1') => ({
    folder: `node_modules/${name}`,
    name,
    version,
    license: 'MIT',
    text: '',
  });
  const lock = {
    name: 'us',
    version: '2',
    packages: {
      'node_modules/@a/b': { version: '1', integrity },
      'node_modules/unshipped': { version: '1', integrity },
      'node_modules/weak': { version: '1', integrity: 'sha1-q80=' },
    },
  };

  test('has what is shipped, with the hash of the lock file', () => {
    const { metadata, components } = sbomOf(lock, [shipped('@a/b')]);
    expect(metadata.component).toMatchObject({ name: 'us', version: '2' });
    expect(components).toEqual([
      {
        type: 'library',
        'bom-ref': '@a/b@1',
        name: '@a/b',
        version: '1',
        purl: 'pkg:npm/%40a/b@1',
        licenses: [{ license: { id: 'MIT' } }],
        hashes: [{ alg: 'SHA-512', content: 'abcd' }],
      },
    ]);
  });

  test('has what Debian brings after it', () => {
    const iptables = { name: 'iptables', version: '1.8.9-2', architecture: 'amd64' };
    const debian = { distribution: 'debian-12', packages: [iptables] };
    const [own, ...others] = sbomOf(lock, [shipped('@a/b')], debian).components;
    const purl = 'pkg:deb/debian/iptables@1.8.9-2?arch=amd64&distro=debian-12';
    expect(own?.name).toBe('@a/b');
    expect(others).toEqual([
      { type: 'library', 'bom-ref': purl, name: 'iptables', version: '1.8.9-2', purl },
    ]);
  });

  test.each([
    [shipped('c'), 'not in package-lock.json: c@1'],
    [shipped('@a/b', '3'), 'not in package-lock.json: @a/b@3'],
    [shipped('weak'), 'package-lock.json: weak@1 has no SHA-512'],
  ])('refuses %j', (one, message) => {
    expect(() => sbomOf(lock, [one])).toThrow(message);
  });
});
