/** Bundles the program, and other entry points, so that a start resolves no module and strips no type. */
import { copyFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { oldestNode, unsupportedRuntime } from '../cmd/kube-proxy/runtime.ts';

/** koffi loads its binary from a package for each platform. The bundle's binary is beside it. */
const koffiBinary: Plugin = {
  name: 'koffi-binary',
  setup(builder) {
    const contents =
      "export const loadStatic = (platform) => require(['./koffi-', platform, '.node'].join(''));";
    builder.onLoad({ filter: /\/koffi\/src\/koffi\/src\/static\.js$/ }, () => ({ contents }));
  },
};

/**
 * Of client-node only what its `KubeConfig` needs: everything else is 15 MB of generated classes, whose reading alone takes
 * seconds. The package does not say that its modules do nothing when they are loaded, so esbuild would keep them.
 */
const kubeConfigOnly: Plugin = {
  name: 'kube-config-only',
  setup(builder) {
    const replace = (filter: RegExp, contents: string) =>
      builder.onLoad({ filter }, ({ path }) => ({ contents, resolveDir: dirname(path) }));
    replace(/\/client-node\/dist\/index\.js$/, "export { KubeConfig } from './config.js';");
    replace(
      /\/client-node\/dist\/gen\/index\.js$/,
      "export { createConfiguration } from './configuration.js'; export { ServerConfiguration } from './servers.js';",
    );
  },
};

/**
 * An ES module's import of `node:http` reads everything that it exports, `WebSocket` as well, and for that Node loads its own HTTP client,
 * undici, which nothing here uses. `require` does not.
 */
const requiredHttp: Plugin = {
  name: 'required-http',
  setup(builder) {
    builder.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'require-call' ? undefined : { path: 'node:http', namespace: 'required' },
    );
    builder.onLoad({ filter: /^/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

/** A package with a bundle of its own, beside that of the entry point that imports it. */
const clientNode = { module: '@kubernetes/client-node', file: 'client-node.mjs' } as const;

/**
 * Bundled with the entry point, client-node would be read and held by every start: it is half of all code, with the HTTP client that it
 * brings, and few kubeconfigs ask for it.
 */
const clientNodeApart: Plugin = {
  name: 'client-node-apart',
  setup(builder) {
    const external = { path: `./${clientNode.file}`, external: true };
    builder.onResolve({ filter: new RegExp(`^${clientNode.module}$`) }, () => external);
  },
};

/**
 * The largest semi-space of V8's young generation, in MiB. A larger one costs memory for the life of the process and saves no CPU
 * (`docs/benchmarks.md`). The launcher of the tarball sets the same.
 */
const heapFlag = '--max-semi-space-size=4';

/**
 * Runs before all modules, so that it can report a Node that is too old for them. It defines `require` for packages written for
 * CommonJS; its other names are not visible outside.
 */
const beginning = `#!/usr/local/bin/node ${heapFlag}
import { createRequire as requireFrom } from 'node:module';
const require = requireFrom(import.meta.url);
{
  const oldestNode = ${oldestNode};
  ${unsupportedRuntime.toString()}
  const unsupported = unsupportedRuntime(process.versions.node);
  if (unsupported) { console.error(unsupported); process.exit(1); }
}`;

/**
 * Bundles an entry point and its packages into one module with a source map, and client-node into a second one beside it, if it is
 * imported. Returns the files that are part of them. `more` are further plugins of esbuild, for the first one.
 */
export async function bundle(
  entry: string,
  outfile: string,
  { more = [] }: { readonly more?: readonly Plugin[] } = {},
): Promise<readonly string[]> {
  const { inputs, imports } = await bundleModule(entry, outfile, [clientNodeApart, ...more]);
  if (!imports.includes(`./${clientNode.file}`)) return inputs;
  const beside = join(dirname(outfile), clientNode.file);
  return [...inputs, ...(await bundleModule(clientNode.module, beside)).inputs];
}

/** The files that are part of a bundle, and the modules that are not but that it imports. */
interface BundledModule {
  readonly inputs: readonly string[];
  readonly imports: readonly string[];
}

async function bundleModule(
  entry: string,
  outfile: string,
  plugins: readonly Plugin[] = [],
): Promise<BundledModule> {
  const { metafile } = await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // Not for running there: an older Node has to read the file to tell that it is too old.
    target: 'node20',
    sourcemap: true,
    sourcesContent: false,
    minifyWhitespace: true,
    banner: { js: beginning },
    plugins: [koffiBinary, kubeConfigOnly, requiredHttp, ...plugins],
    logLevel: 'warning',
    metafile: true,
  });
  const outputs = Object.values(metafile.outputs);
  return {
    inputs: outputs.flatMap(({ inputs }) => Object.keys(inputs)),
    imports: outputs.flatMap(({ imports }) => imports.map(({ path }) => path)),
  };
}

/** Copies koffi's binaries, as many as are installed, to where bundles look for them: into their folder. */
export function copyKoffi(folder: string): void {
  const packages = readdirSync('node_modules/@koromix').filter((name) => name.startsWith('koffi-'));
  for (const name of packages) {
    // The folder is named `linux_x64`, with a `musl_x64` beside it that the image's libc does not want.
    const platform = name.slice('koffi-'.length).replace('-', '_');
    const binary = `node_modules/@koromix/${name}/${platform}/koffi.node`;
    copyFileSync(binary, join(folder, `${name}.node`));
  }
}
