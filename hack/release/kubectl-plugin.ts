import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the plugin is written, and the folder on the web from which its archive will be fetched. */
export interface KubectlPluginOptions {
  readonly folder: string;
  readonly url: string;
}

/** Makes the archive of the plugin for kubectl, and the manifest with which krew installs it. Returns their paths. */
export function makeKubectlPlugin({ folder, url }: KubectlPluginOptions): {
  readonly archive: string;
  readonly manifest: string;
} {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const name = `kubectl-ipvs-${version}.tar.gz`;
  const archive = join(folder, name);
  const content = mkdtempSync(join(folder, 'kubectl-ipvs-'));
  try {
    copyFileSync('deploy/kubectl/kubectl-ipvs', join(content, 'kubectl-ipvs'));
    copyFileSync('LICENSE', join(content, 'LICENSE'));
    const sameAlways = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
    const files = ['LICENSE', 'kubectl-ipvs'];
    execFileSync('tar', [...sameAlways, '-C', content, '-czf', archive, ...files]);
  } finally {
    rmSync(content, { recursive: true });
  }
  const manifest = join(folder, 'ipvs.yaml');
  const sha256 = createHash('sha256').update(readFileSync(archive)).digest('hex');
  const text = readFileSync('deploy/kubectl/ipvs.yaml', 'utf8')
    .replace(/^#.*\n/, '')
    .replace(/^( +version:) .*$/m, `$1 v${version}`)
    .replace(/^( +uri:) .*$/m, `$1 ${url.replace(/\/$/, '')}/${name}`)
    .replace(/^( +sha256:) .*$/m, `$1 ${sha256}`);
  writeFileSync(manifest, text);
  return { archive, manifest };
}
