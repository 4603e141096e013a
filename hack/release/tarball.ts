import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { version } from '../../pkg/config/version.ts';
import { bundle, copyKoffi } from '../bundle.ts';
import { writeDocuments } from './documents.ts';
import { packageFolders } from './packages.ts';

/** How the tarball is made. */
export interface TarballOptions {
  /** Where it is written, and what it is made from. */
  readonly folder: string;
  /** Node's own processor name; the packages `node-linux-…` and `koffi-linux-…` of it are installed. */
  readonly arch: string;
  /** Whether Node comes with it: 120 MB more, and nothing but the C and C++ libraries is needed on the node. */
  readonly hasNode: boolean;
}

/** Makes the tarball for a node whose kube-proxy is started by systemd, to be unpacked into a prefix. Returns its path. */
export async function makeTarball({ folder, arch, hasNode }: TarballOptions): Promise<string> {
  const name = `kube-proxy-${version}-linux-${arch}`;
  const root = join(folder, name);
  rmSync(root, { recursive: true, force: true });
  const place = (...parts: readonly string[]) => {
    const path = join(root, ...parts);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const lib = place('lib', 'kube-proxy');
  const inputs = await bundle('cmd/kube-proxy/main.ts', join(lib, 'kube-proxy.js'));
  writeFileSync(join(lib, 'package.json'), '{ "type": "module" }\n');
  copyKoffi(lib);
  const foreign = readdirSync(lib).filter(
    (file) => file.startsWith('koffi-') && !file.endsWith(`-${arch}.node`),
  );
  for (const file of foreign) rmSync(join(lib, file));
  const node = `node_modules/node-linux-${arch}`;
  if (hasNode) copyExecutable(`${node}/bin/node`, join(lib, 'node'));
  copyExecutable('hack/release/launcher.sh', join(place('bin'), 'kube-proxy'));
  copyFileSync(
    'deploy/systemd/kube-proxy.service',
    join(place('lib', 'systemd', 'system'), 'kube-proxy.service'),
  );
  writeDocuments(place('share', 'doc', 'kube-proxy'), [
    ...packageFolders(inputs),
    `node_modules/@koromix/koffi-linux-${arch}`,
    ...(hasNode ? [node] : []),
  ]);
  const path = join(folder, `${name}.tar.gz`);
  const sameAlways = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...sameAlways, '-C', folder, '-czf', path, name]);
  return path;
}

function copyExecutable(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}
