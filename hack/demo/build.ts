/**
 * Makes the folder that the demo runs from, given as its only word: `demo.js` and `kube-proxy.js`, the latter as an image holds it.
 * From the sources both would start as well; in an emulated machine that takes 15 seconds more.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle, copyKoffi } from '../bundle.ts';

const [, , folder = ''] = process.argv;
if (folder === '') throw new Error('which folder?');
mkdirSync(folder, { recursive: true });
await Promise.all([
  bundle('test/demo/main.ts', join(folder, 'demo.js')),
  bundle('cmd/kube-proxy/main.ts', join(folder, 'kube-proxy.js')),
]);
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
copyKoffi(folder);
