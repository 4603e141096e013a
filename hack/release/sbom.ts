import { readFileSync } from 'node:fs';
import { type Debian, debianPurl } from './debian.ts';
import type { ShippedPackage } from './packages.ts';

/** What `package-lock.json` says of a package. */
interface LockedPackage {
  readonly version?: string;
  /** As `sha512-…`, in base64. */
  readonly integrity?: string;
}

/** The lock file of npm, as far as it is read here. */
export interface Lock {
  readonly name: string;
  readonly version: string;
  /** By folder. */
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

/** A CycloneDX 1.5 document: the same for the same packages, so without a time and a random number. */
export interface Sbom {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.5';
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

interface Component {
  readonly type: 'application' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  /** None for packages of Debian: their copyright files are in the image. */
  readonly licenses?: readonly { readonly license: { readonly id: string } }[];
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[];
}

/** Reads the lock file. `npm sbom` would do, but npm has it only since 9.9 and 10.2, and any npm must do here. */
export function readLock(): Lock {
  return JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
}

/** What is shipped, with the packages of a Debian system if that is shipped too. Throws if a package is not in the lock file, or in another version. */
export function sbomOf(
  { name, version, packages: locked }: Lock,
  packages: readonly ShippedPackage[],
  debian?: Debian,
): Sbom {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: { type: 'application', 'bom-ref': `${name}@${version}`, name, version },
    },
    components: [
      ...packages.map((shipped) => componentOf(shipped, locked[shipped.folder])),
      ...(debian === undefined ? [] : debianComponents(debian)),
    ],
  };
}

function debianComponents({ packages, distribution }: Debian): readonly Component[] {
  return packages.map((each) => {
    const purl = debianPurl(each, distribution);
    const { name, version } = each;
    return { type: 'library', 'bom-ref': purl, name, version, purl };
  });
}

function componentOf(
  { name, version, license }: ShippedPackage,
  locked: LockedPackage | undefined,
): Component {
  if (locked?.version !== version) throw new Error(`not in package-lock.json: ${name}@${version}`);
  const [algorithm = '', hash = ''] = (locked.integrity ?? '').split('-');
  if (algorithm !== 'sha512')
    throw new Error(`package-lock.json: ${name}@${version} has no SHA-512`);
  return {
    type: 'library',
    'bom-ref': `${name}@${version}`,
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    licenses: [{ license: { id: license } }],
    hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }],
  };
}
