import { execFileSync } from 'node:child_process';
import type { ShippedPackage } from './packages.ts';

/** A CycloneDX document, as far as it is changed here. */
export interface Sbom {
  readonly components: readonly { readonly 'bom-ref': string }[];
  readonly dependencies: readonly {
    readonly ref: string;
    readonly dependsOn?: readonly string[];
  }[];
  readonly metadata: {
    readonly timestamp?: string;
    readonly component: { readonly 'bom-ref': string };
  };
  readonly serialNumber?: string;
}

/** What npm says of all packages of the lock file, as CycloneDX; nothing is asked of a registry. */
export function lockedSbom(): Sbom {
  const argv = ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'];
  return JSON.parse(execFileSync('npm', argv, { encoding: 'utf8', maxBuffer: 1 << 26 })) as Sbom;
}

/**
 * The part of a document that is about some packages: the same for the same lock file, so without a time and a random number. Throws if
 * one of them is not in it.
 */
export function sbomOf(document: Sbom, packages: readonly ShippedPackage[]): Sbom {
  const refs = new Set(packages.map(({ name, version }) => `${name}@${version}`));
  const components = document.components.filter((component) => refs.has(component['bom-ref']));
  const known = new Set(components.map((component) => component['bom-ref']));
  const unknown = [...refs].filter((ref) => !known.has(ref));
  if (unknown.length > 0) throw new Error(`not in package-lock.json: ${unknown.join(', ')}`);
  const kept = new Set([...known, document.metadata.component['bom-ref']]);
  const dependencies = document.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn = [] }) => ({
      ref,
      dependsOn: dependsOn.filter((one) => kept.has(one)),
    }));
  const { serialNumber: _random, metadata, ...rest } = document;
  const { timestamp: _time, ...about } = metadata;
  return { ...rest, metadata: about, components, dependencies };
}
