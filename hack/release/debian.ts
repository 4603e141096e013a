import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A package of Debian that an image holds. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** A Debian system: its release as package URLs name it, such as `debian-12`, and its packages. */
export interface Debian {
  readonly distribution: string;
  readonly packages: readonly DebianPackage[];
}

/** Reads a copy of `/var/lib/dpkg/status` and `/etc/os-release` in one folder. */
export function readDebian(folder: string): Debian {
  return {
    distribution: distributionOf(readFileSync(join(folder, 'os-release'), 'utf8')),
    packages: installedPackages(readFileSync(join(folder, 'status'), 'utf8')),
  };
}

/** The packages that are installed by dpkg's list, by name. Throws if an installed one has no name, version or architecture. */
export function installedPackages(status: string): readonly DebianPackage[] {
  return status
    .split(/\n{2,}/)
    .map(fieldsOf)
    .filter((fields) => fields.get('Status') === 'install ok installed')
    .map((fields) => ({
      name: required(fields, 'Package'),
      version: required(fields, 'Version'),
      architecture: required(fields, 'Architecture'),
    }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** The release by `os-release`. Throws if it names none. */
export function distributionOf(release: string): string {
  const [, id] = /^ID="?([\w.-]+)"?$/m.exec(release) ?? [];
  const [, version] = /^VERSION_ID="?([\w.-]+)"?$/m.exec(release) ?? [];
  if (id === undefined || version === undefined)
    throw new Error('os-release names no ID or VERSION_ID');
  return `${id}-${version}`;
}

/** The package URL of a package, as purl has it for `deb`. */
export function debianPurl(
  { name, version, architecture }: DebianPackage,
  distribution: string,
): string {
  const path = `pkg:deb/debian/${encoded(name)}@${encoded(version)}`;
  return `${path}?arch=${architecture}&distro=${distribution}`;
}

/** The fields of a paragraph that have one line. */
function fieldsOf(paragraph: string): ReadonlyMap<string, string> {
  const lines = paragraph.matchAll(/^([\w-]+): (.*)$/gm);
  return new Map(Array.from(lines, ([, name = '', value = '']) => [name, value] as const));
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined)
    throw new Error(`dpkg's list: ${fields.get('Package') ?? 'a package'} has no ${name}`);
  return value;
}

/** Percent-encoded but for colons, which package URLs keep. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}
