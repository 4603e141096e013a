/**
 * Makes `dist/release/kube-proxy-VERSION-linux-ARCH.tar.gz` for nodes whose kube-proxy is started by systemd: the bundle, koffi's binary, a
 * launcher, a unit, licences and an SBOM. `hack/run node hack/tarball.ts [--with-node]`.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makeTarball } from './release/tarball.ts';

const { values } = parseArgs({ options: { 'with-node': { type: 'boolean', default: false } } });
const folder = 'dist/release';
mkdirSync(folder, { recursive: true });
console.log(await makeTarball({ folder, arch: process.arch, hasNode: values['with-node'] }));
