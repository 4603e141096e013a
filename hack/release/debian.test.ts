import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { debianPurl, distributionOf, installedPackages, readDebian } from './debian.ts';

const status = `Package: libstdc++6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: gcc-12
Version: 12.2.0-14+deb12u1
Description: GNU Standard C++ Library v3
 This package contains an additional runtime library.
 Version: of nothing
Homepage: http://gcc.gnu.org/

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: iptables
Status: install ok installed
Architecture: amd64
Version: 1.8.9-2
Conffiles:
 /etc/iptables abc
`;

test('what is installed is found, by name', () => {
  expect(installedPackages(status)).toEqual([
    { name: 'iptables', version: '1.8.9-2', architecture: 'amd64' },
    { name: 'libstdc++6', version: '12.2.0-14+deb12u1', architecture: 'amd64' },
  ]);
});

test.each([
  ['Version', 'libstdc\\+\\+6 has no Version'],
  ['Architecture', 'libstdc\\+\\+6 has no Architecture'],
  ['Package', 'a package has no Package'],
])('a package without %s is refused', (field, message) => {
  const without = status.replaceAll(new RegExp(`^${field}: .*\n`, 'gm'), '');
  expect(() => installedPackages(without)).toThrow(new RegExp(message));
});

test.each([
  ['iptables', '1.8.9-2', 'pkg:deb/debian/iptables@1.8.9-2?arch=arm64&distro=debian-12'],
  ['libstdc++6', '1+b1', 'pkg:deb/debian/libstdc%2B%2B6@1%2Bb1?arch=arm64&distro=debian-12'],
  ['attr', '1:2.4~rc1-2', 'pkg:deb/debian/attr@1:2.4~rc1-2?arch=arm64&distro=debian-12'],
])('the package URL of %s %s', (name, version, purl) =>
  expect(debianPurl({ name, version, architecture: 'arm64' }, 'debian-12')).toBe(purl),
);

test.each([
  ['ID=debian\nVERSION_ID="12"\nPRETTY_NAME="x"\n', 'debian-12'],
  ['PRETTY_NAME="x"\nVERSION_ID=13\nID="debian"\n', 'debian-13'],
])('the release of %j', (release, expected) => expect(distributionOf(release)).toBe(expected));

test('a release without a number is refused', () =>
  expect(() => distributionOf('ID=debian\nVERSION_CODENAME=sid\n')).toThrow(
    'os-release names no ID or VERSION_ID',
  ));

test('both are read from a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'debian-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'status'), status);
  writeFileSync(join(folder, 'os-release'), 'ID=debian\nVERSION_ID="12"\n');
  expect(readDebian(folder)).toMatchObject({ distribution: 'debian-12', packages: { length: 2 } });
});
