/**
 * Makes `dist/`, which is what an image holds: `kube-proxy.js`, one module with its packages in it, and beside it `client-node.mjs`, which
 * few kubeconfigs ask for, the source maps, and koffi's binary; in `dist/doc` the licences of all that is inside, and an SBOM. Run by `npm run build`. With `-- --debian FOLDER` the SBOM has the packages of the Debian that the
 * image is made of: the folder holds its `/var/lib/dpkg/status` and `/etc/os-release`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bundle, copyKoffi } from './bundle.ts';
import { readDebian } from './release/debian.ts';
import { writeDocuments } from './release/documents.ts';
import { packageFolders } from './release/packages.ts';

const { debian } = parseArgs({ options: { debian: { type: 'string' } } }).values;
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
const inputs = await bundle('cmd/kube-proxy/main.ts', 'dist/kube-proxy.js');
chmodSync('dist/kube-proxy.js', 0o755);
writeFileSync('dist/package.json', '{ "type": "module" }\n');
copyKoffi('dist');
mkdirSync('dist/doc');
const binaries = readdirSync('node_modules/@koromix').map(
  (name) => `node_modules/@koromix/${name}`,
);
writeDocuments(
  'dist/doc',
  [...packageFolders(inputs), ...binaries, `node_modules/node-linux-${process.arch}`],
  debian === undefined ? undefined : readDebian(debian),
);
const said = execFileSync(process.execPath, ['dist/kube-proxy.js', '--version'], {
  encoding: 'utf8',
});
console.log(`dist/kube-proxy.js says: ${said.trim()}`);

for (const name of readdirSync('dist')) {
  console.log(`dist/${name} ${Math.round(statSync(`dist/${name}`).size / 1024)} KiB`);
}
