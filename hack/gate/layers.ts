/**
 * Checks who imports whom by the table in `layer-table.ts`. Run by `npm run layers`; `npm run gate:prove` plants faults to see it fail.
 */
import { globSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { bottom, faces, folder, kernelFolders, type Layer, layers } from './layer-table.ts';
import { teachUsing } from './using-declarations.ts';

/** Each package has one owner, so that it can be replaced, and seen whole, in one file. */
const owners: Readonly<Record<string, string>> = {
  koffi: '^pkg/netlink/libc[.]ts$',
  pino: folder('log'),
  'prom-client': folder('metrics'),
  '@kubernetes/client-node': '^pkg/kube/credentials/library[.]ts$',
  yaml: folder('yaml'),
};

/** A package of its own, which others know by its name and what it exports. */
const workspace = /^test\/apiserver\//;

const tests = ['[.]test[.]ts$', '^test/'];
const implementation = '/(netlink|restore|proc|raw|fake)[.]ts$';

const rules: readonly IForbiddenRuleType[] = [
  { name: 'cycle', from: {}, to: { circular: true } },
  { name: 'unresolved', from: {}, to: { couldNotResolve: true } },
  ...layers.map(layerRule),
  {
    name: 'face',
    from: { path: `^pkg/(${kernelFolders.join('|')})/(?:\\1|fake)[.]ts$` },
    to: {
      path: '^pkg/',
      pathNot: [
        ...bottom,
        ...faces,
        '^pkg/$1/(?!netlink|restore|proc|raw|schema|commands|convert)',
      ],
    },
  },
  {
    name: 'implementation',
    from: {
      path: '^(?:cmd|pkg)/([^/]+)/',
      pathNot: ['^cmd/kube-proxy/(assemble|open-kernel|open-node|open-reader)[.]ts$', ...tests],
    },
    to: { path: implementation, pathNot: ['^pkg/$1/(netlink|restore|proc|raw)[.]ts$'] },
  },
  {
    name: 'test-only',
    from: { path: '^(cmd|pkg)/', pathNot: tests },
    to: { path: ['/manual-clock[.]ts$', '[.]test[.]ts$'] },
  },
  {
    name: 'what the test API server may import',
    from: { path: workspace.source },
    to: {
      path: '^(cmd|pkg|test|hack)/',
      pathNot: [workspace.source, '^pkg/ip/', '^pkg/runner/(manual-)?clock[.]ts$'],
    },
  },
  ...Object.entries(owners).map(([name, owner]) => ({
    name: `owner of ${name}`,
    from: { path: '^(cmd|pkg)/', pathNot: [owner, ...tests] },
    to: { path: `(^|/)node_modules/${name}/` },
  })),
  {
    name: 'package without owner',
    from: { path: '^(cmd|pkg)/', pathNot: tests },
    to: {
      path: '(^|/)node_modules/',
      pathNot: Object.keys(owners).map((name) => `(^|/)node_modules/${name}/`),
    },
  },
];

function layerRule({ name, from, may }: Layer): IForbiddenRuleType {
  return {
    name: `layer ${name}`,
    from: { path: from, pathNot: tests },
    to: { path: '^(cmd|pkg|test|hack)/', pathNot: [from, ...may] },
  };
}

teachUsing();
const roots = ['cmd', 'pkg', 'test', 'hack'];
const { output } = await cruise(roots, {
  ruleSet: { forbidden: rules.map((rule) => ({ ...rule, severity: 'error' })) },
  validate: true,
  parser: 'swc',
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import'] },
  outputType: 'json',
});
const result = JSON.parse(output as string) as ICruiseResult;
const seen = new Set(result.modules.map(({ source }) => source));
const files = globSync(roots.map((root) => `${root}/**/*.ts`));

const intoWorkspace = result.modules.flatMap(({ source, dependencies }) =>
  dependencies
    .filter(({ resolved }) => workspace.test(resolved) && !workspace.test(source))
    .filter(({ module }) => module.startsWith('.'))
    .map(({ resolved }) => `workspace by its path, not by its name: ${source} → ${resolved}`),
);
const complaints = [
  ...intoWorkspace,
  ...files.filter((file) => !seen.has(file)).map((file) => `${file} was not looked at`),
  ...files.filter((file) => !isKnown(file)).map((file) => `${file} is in a folder without a layer`),
  ...result.summary.violations.map(
    ({ rule, from, to, cycle }) =>
      `${rule.name}: ${from} → ${cycle?.map(({ name }) => name).join(' → ') ?? to}`,
  ),
];
if (files.length === 0) complaints.push('no source file found');
for (const complaint of complaints) console.error(complaint);
if (complaints.length === 0) console.log(`layers: ${files.length} modules, no violation`);
process.exitCode = complaints.length === 0 ? 0 : 1;

function isKnown(file: string): boolean {
  return layers.some(({ from }) => new RegExp(from).test(file));
}
