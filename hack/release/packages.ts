import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package of which something is shipped. */
export interface ShippedPackage {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** As SPDX writes it. */
  readonly license: string;
  /** The text of its licence files; empty if it comes without any. */
  readonly text: string;
}

/** Licences that what is shipped may have: none asks for more than that its text comes along. */
const allowed: ReadonlySet<string> = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'],
  'Python-2.0',
]);

/** The folders of the packages that files belong to, each once, in order. */
export function packageFolders(files: readonly string[]): readonly string[] {
  const pattern = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
  return [...new Set(files.flatMap((file) => pattern.exec(file) ?? []))].sort();
}

/** Reads the package in a folder. Throws if its licence is not one that may be shipped. */
export function readPackage(folder: string): ShippedPackage {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Partial<ShippedPackage>;
  if (name === undefined || version === undefined)
    throw new Error(`${folder}/package.json: no name or version`);
  if (typeof license !== 'string' || !allowed.has(license))
    throw new Error(`${name} ${version}: licence ${JSON.stringify(license)} may not be shipped`);
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)([.-]|$)/i.test(file))
    .sort();
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return { folder, name, version, license, text };
}

/** One text with the licences of all packages. */
export function licenceText(packages: readonly ShippedPackage[]): string {
  const sections = packages.map(({ name, version, license, text }) =>
    [`${name} ${version} (${license})`, text].filter((part) => part !== '').join('\n\n'),
  );
  return `${sections.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
