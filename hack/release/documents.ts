import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Debian } from './debian.ts';
import { licenceText, readPackage } from './packages.ts';
import { readLock, sbomOf } from './sbom.ts';

/**
 * Writes the project's licence, those of the packages in some folders, and the list of what is inside, into a folder. The list has the
 * packages of a Debian system too, if one comes along.
 */
export function writeDocuments(
  folder: string,
  packageFolders: readonly string[],
  debian?: Debian,
): void {
  const packages = packageFolders.map(readPackage);
  copyFileSync('LICENSE', join(folder, 'LICENSE'));
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES'), licenceText(packages));
  const sbom = sbomOf(readLock(), packages, debian);
  writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(sbom, null, 2)}\n`);
}
