/**
 * Makes `dist/release/kubectl-ipvs-VERSION.tar.gz`, what krew installs, and its manifest `dist/release/ipvs.yaml`.
 * `hack/run node hack/kubectl-plugin.ts [--url=FOLDER]`; FOLDER is where the archive will be fetched from.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { makeKubectlPlugin } from './release/kubectl-plugin.ts';

const { values } = parseArgs({
  options: { url: { type: 'string', default: 'https://releases.example/kube-proxy-ipvs' } },
});
const folder = 'dist/release';
mkdirSync(folder, { recursive: true });
const { archive, manifest } = makeKubectlPlugin({ folder, url: values.url });
console.log(`${archive}\n${manifest}`);
