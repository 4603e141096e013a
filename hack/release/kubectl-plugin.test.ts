import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeKubectlPlugin } from './kubectl-plugin.ts';

// The archive and the manifest of the plugin, by the rules that krew documents and checks: "Writing Krew plugin manifests" on
// krew.sigs.k8s.io, and the checks of structure in `internal/index/validation` and `cmd/validate-krew-manifest` of kubernetes-sigs/krew.

const built = mkdtempSync(join(tmpdir(), 'kubectl-plugin-'));
const url = 'https://example.com/releases/';
let archive: string;
let plugin: Plugin;

interface Plugin {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: {
    readonly version: string;
    readonly shortDescription: string;
    readonly description: string;
    readonly caveats: string;
    readonly homepage: string;
    readonly platforms: readonly Platform[];
  };
}

interface Platform {
  readonly uri: string;
  readonly sha256: string;
  readonly bin: string;
  readonly selector: {
    readonly matchExpressions: readonly {
      readonly key: string;
      readonly operator: string;
      readonly values: readonly string[];
    }[];
  };
  readonly files: readonly { readonly from: string; readonly to: string }[];
}

beforeAll(() => {
  const made = makeKubectlPlugin({ folder: built, url });
  archive = made.archive;
  plugin = parse(readFileSync(made.manifest, 'utf8')) as Plugin;
});

afterAll(() => rmSync(built, { recursive: true }));

describe('the manifest', () => {
  test('is a Plugin of the name of its file', () => {
    expect(Object.keys(plugin).toSorted()).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
    expect(plugin).toMatchObject({
      apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
      kind: 'Plugin',
      metadata: { name: 'ipvs' },
    });
  });

  test('has a version with a v, a sentence, and lines that are not too long', () => {
    const { version, shortDescription, description, caveats, homepage } = plugin.spec;
    expect(version).toMatch(/^v\d+\.\d+\.\d+$/);
    expect(shortDescription).toMatch(/^.{1,69}$/);
    for (const line of `${description}\n${caveats}`.split('\n'))
      expect(line.length).toBeLessThan(80);
    expect(homepage).toMatch(/^https:/);
  });

  test('says from where, with what sum, and for which systems', () => {
    const { platforms } = plugin.spec;
    expect(platforms).toHaveLength(1);
    const [{ uri, sha256, selector } = platform()] = platforms;
    expect(uri).toMatch(/^https:\/\/example\.com\/releases\/kubectl-ipvs-[\d.]+\.tar\.gz$/);
    expect(archive.endsWith(uri.slice(uri.lastIndexOf('/')))).toBe(true);
    expect(sha256).toBe(createHash('sha256').update(readFileSync(archive)).digest('hex'));
    expect(selector).toEqual({
      matchExpressions: [{ key: 'os', operator: 'In', values: ['darwin', 'linux'] }],
    });
  });

  test('has no field that krew does not know', () => {
    const fields = [
      'version',
      'shortDescription',
      'description',
      'caveats',
      'homepage',
      'platforms',
    ];
    expect(fields).toEqual(expect.arrayContaining(Object.keys(plugin.spec)));
    const ofPlatform = ['uri', 'sha256', 'selector', 'files', 'license', 'bin'];
    expect(ofPlatform).toEqual(expect.arrayContaining(Object.keys(platform())));
  });
});

test('the archive has what the manifest copies, and the program can be run', () => {
  const unpacked = join(built, 'unpacked');
  mkdirSync(unpacked);
  execFileSync('tar', ['-xzf', archive, '-C', unpacked]);
  for (const { from, to } of platform().files) {
    expect(statSync(join(unpacked, from)).isFile()).toBe(true);
    expect(to).toBe('.');
  }
  const program = join(unpacked, platform().bin);
  expect(execFileSync(program, ['--help'], { encoding: 'utf8' })).toMatch(/^Asks the kube-proxy/);
});

test('the archive is the same each time', () => {
  const before = readFileSync(archive);
  makeKubectlPlugin({ folder: built, url });
  expect(readFileSync(archive).equals(before)).toBe(true);
});

function platform(): Platform {
  const [first] = plugin.spec.platforms;
  if (first === undefined) throw new Error('no platform');
  return first;
}
