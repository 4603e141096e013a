/**
 * Makes `dist/`, which is what an image holds: `kube-proxy.js`, one module with all packages in it, its source map, and
 * koffi's binary beside it. Run by `npm run build`.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { oldestNode, unsupportedRuntime } from '../cmd/kube-proxy/runtime.ts';

/** koffi has a package per platform, each with a binary, and asks for it by name. The bundle's stands at its side. */
const koffiBinary: Plugin = {
  name: 'koffi-binary',
  setup(builder) {
    const contents =
      "export const loadStatic = (platform) => require(['./koffi-', platform, '.node'].join(''));";
    builder.onLoad({ filter: /\/koffi\/src\/koffi\/src\/static\.js$/ }, () => ({ contents }));
  },
};

/**
 * Of client-node only what its `KubeConfig` needs: everything else is 15 MB of generated classes. The package does not say that
 * its modules do nothing when they are loaded, so esbuild would keep them.
 */
const kubeConfigOnly: Plugin = {
  name: 'kube-config-only',
  setup(builder) {
    builder.onLoad({ filter: /\/client-node\/dist\/index\.js$/ }, ({ path }) => ({
      contents: "export { KubeConfig } from './config.js';",
      resolveDir: dirname(path),
    }));
    builder.onResolve({ filter: /^\./ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === kubeConfigOnly || !from.importer.includes('/client-node/dist/')) return;
      const found = await builder.resolve(path, { ...from, pluginData: kubeConfigOnly });
      return { ...found, sideEffects: false };
    });
  },
};

/**
 * Runs before any module of ours, so it may say what is wrong on a Node that could not run them. Of its names only `require` is
 * seen by the rest: packages written for CommonJS want it.
 */
const beginning = `#!/usr/local/bin/node
import { createRequire as requireFrom } from 'node:module';
const require = requireFrom(import.meta.url);
{
  const oldestNode = ${oldestNode};
  ${unsupportedRuntime.toString()}
  const unsupported = unsupportedRuntime(process.versions.node);
  if (unsupported) { console.error(unsupported); process.exit(1); }
}`;

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
await build({
  entryPoints: ['cmd/kube-proxy/main.ts'],
  outfile: 'dist/kube-proxy.js',
  bundle: true,
  platform: 'node',
  format: 'esm',
  // Not for running there: an older Node has to read the file to tell that it is too old.
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  minifyWhitespace: true,
  banner: { js: beginning },
  plugins: [koffiBinary, kubeConfigOnly],
  logLevel: 'warning',
});
chmodSync('dist/kube-proxy.js', 0o755);
writeFileSync('dist/package.json', '{ "type": "module" }\n');
const packages = readdirSync('node_modules/@koromix').filter((name) => name.startsWith('koffi-'));
for (const name of packages) copyBinary(name);
const said = execFileSync(process.execPath, ['dist/kube-proxy.js', '--version'], {
  encoding: 'utf8',
});
console.log(`dist/kube-proxy.js says: ${said.trim()}`);

for (const name of readdirSync('dist')) {
  console.log(`dist/${name} ${Math.round(statSync(`dist/${name}`).size / 1024)} KiB`);
}

/** The folder is named `linux_x64`, with a `musl_x64` beside it that the image's libc does not want. */
function copyBinary(name: string): void {
  const platform = name.slice('koffi-'.length).replace('-', '_');
  copyFileSync(`node_modules/@koromix/${name}/${platform}/koffi.node`, `dist/${name}.node`);
}
