/**
 * Who may import whom, as a table, and the check of it. Run by `npm run layers`; `hack/gate/gate.test.ts` plants faults to
 * see it fail. Tests may import everything; what is not in the table may import nothing of ours.
 */
import { globSync } from 'node:fs';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import { teachUsing } from './using-declarations.ts';

/** Folders of `pkg/` whose face (the file named after the folder) speaks of one part of the kernel. */
const kernelFolders = [
  ...['connections', 'conntrack', 'firewall', 'ipset', 'ipvs'],
  ...['links', 'neighbours', 'nftables', 'reset', 'routes', 'sysctl'],
];
const faces = kernelFolders.map((folder) => `^pkg/${folder}/${folder}[.]ts$`);
const bottom = [folder('errno'), folder('ip')];

/** Each row: files of `from` may import their own folder and what `may` matches, nothing else of ours. */
const layers: readonly Layer[] = [
  { name: 'errno', from: folder('errno'), may: [] },
  { name: 'wire', from: folder('wire'), may: [] },
  { name: 'ip', from: folder('ip'), may: [] },
  { name: 'log', from: folder('log'), may: ['^pkg/runner/(clock|token-bucket)[.]ts$'] },
  { name: 'netlink', from: folder('netlink'), may: [folder('wire'), folder('log'), ...bottom] },
  ...kernelFolders.map((name) => ({
    name,
    from: folder(name),
    may: [folder('netlink'), folder('wire'), folder('log'), ...bottom],
  })),
  { name: 'yaml', from: folder('yaml'), may: [] },
  { name: 'metrics', from: folder('metrics'), may: [folder('log'), ...bottom] },
  {
    name: 'config',
    from: folder('config'),
    may: ['^pkg/runner/duration[.]ts$', folder('log'), folder('yaml'), ...bottom],
  },
  { name: 'runner', from: folder('runner'), may: [folder('log'), ...bottom] },
  {
    name: 'node',
    from: folder('node'),
    may: [
      '^pkg/(ipvs/ipvs|sysctl/sysctl|config/types)[.]ts$',
      folder('log'),
      folder('runner'),
      ...bottom,
    ],
  },
  {
    name: 'health',
    from: folder('health'),
    may: ['^pkg/kube/types[.]ts$', folder('log'), folder('runner'), folder('metrics'), ...bottom],
  },
  ...kubeRooms(),
  ...proxyRooms(),
  { name: 'profile', from: folder('profile'), may: [] },
  {
    name: 'traffic',
    from: folder('traffic'),
    may: ['^pkg/ipvs/ipvs[.]ts$', folder('runner'), ...bottom],
  },
  {
    name: 'instance',
    from: folder('instance'),
    may: ['^pkg/netlink/(libc|codes)[.]ts$', folder('log'), folder('runner'), ...bottom],
  },
  {
    name: 'cleanup',
    from: folder('cleanup'),
    may: [
      ...faces,
      '^pkg/firewall/saved-(rule|match)[.]ts$',
      '^pkg/proxy/(desired|observed|leftovers)/',
      folder('log'),
      folder('runner'),
      ...bottom,
    ],
  },
  {
    name: 'preview',
    from: folder('preview'),
    may: [
      ...faces,
      '^pkg/firewall/saved(-after)?[.]ts$',
      '^pkg/kube/types[.]ts$',
      '^pkg/proxy/([^/]+|plan/operation|leftovers/(plan|removal))[.]ts$',
      folder('log'),
      folder('runner'),
      ...bottom,
    ],
  },
  {
    name: 'trace',
    from: folder('trace'),
    may: [...faces, '^pkg/firewall/saved-(rule|match)[.]ts$', ...bottom],
  },
  {
    name: 'explain',
    from: folder('explain'),
    may: [
      ...faces,
      '^pkg/firewall/saved(-rule)?[.]ts$',
      '^pkg/kube/(types|annotations|object-key)[.]ts$',
      '^pkg/proxy/(desired/|leftovers/names[.]ts$|apply/rule-source[.]ts$)',
      ...['trace', 'log', 'runner'].map(folder),
      ...bottom,
    ],
  },
  {
    name: 'dump',
    from: folder('dump'),
    may: [
      ...faces,
      '^pkg/kube/types[.]ts$',
      '^pkg/kube/objects/(names|pod-uid)[.]ts$',
      folder('log'),
      ...bottom,
    ],
  },
  {
    name: 'status',
    from: folder('status'),
    may: [
      '^pkg/ipvs/ipvs[.]ts$',
      '^pkg/kube/(types|object-key|objects/pod-uid)[.]ts$',
      '^pkg/proxy/(view|reporter)[.]ts$',
      '^pkg/proxy/(desired|observed|graceful)/',
      folder('runner'),
      ...bottom,
    ],
  },
  { name: 'cmd', from: '^cmd/', may: ['^pkg/'] },
  { name: 'test', from: '^test/', may: ['^pkg/', '^cmd/', '^hack/'] },
  { name: 'hack', from: '^hack/', may: ['^cmd/', folder('config')] },
];

/** The rooms of the API side: what objects mean knows nothing of where they come from. */
function kubeRooms(): readonly Layer[] {
  const base = [folder('log'), folder('runner'), folder('metrics'), folder('yaml'), ...bottom];
  const common = ['^pkg/kube/(types|object-key|omission|metrics)[.]ts$'];
  const rooms = {
    objects: [],
    credentials: ['objects'],
    api: ['objects', 'credentials'],
    manifests: ['objects'],
  } as const;
  return [
    ...Object.entries(rooms).map(([room, others]) => ({
      name: `kube/${room}`,
      from: folder(`kube/${room}`),
      may: [...base, ...common, ...others.map((other) => folder(`kube/${other}`))],
    })),
    { name: 'kube', from: '^pkg/kube/[^/]+[.]ts$', may: [...base, folder('kube')] },
  ];
}

/** The rooms of the proxier, in the order in which a change goes through them; each may import those before it that it names. */
function proxyRooms(): readonly Layer[] {
  const base = [
    ...faces,
    '^pkg/kube/(types|object-key|annotations|omission)[.]ts$',
    folder('runner'),
    folder('log'),
  ];
  const reporter = '^pkg/proxy/reporter[.]ts$';
  const rooms = {
    settings: [],
    desired: [],
    observed: ['desired'],
    plan: ['desired', 'observed'],
    flows: ['desired', 'plan', 'settings'],
    changes: ['desired', 'observed', 'plan'],
    graceful: ['desired', 'observed', 'plan', 'flows', 'changes', 'settings'],
    leftovers: ['desired'],
    apply: ['desired', 'observed', 'plan', 'flows', 'graceful', 'leftovers'],
  } as const;
  return [
    ...Object.entries(rooms).map(([room, others]) => ({
      name: `proxy/${room}`,
      from: folder(`proxy/${room}`),
      may: [
        ...base,
        ...bottom,
        reporter,
        ...(room === 'leftovers' ? ['^pkg/firewall/saved(-rule)?[.]ts$'] : []),
        ...others.map((other) => folder(`proxy/${other}`)),
      ],
    })),
    {
      name: 'proxy',
      from: '^pkg/proxy/[^/]+[.]ts$',
      may: [...base, ...bottom, folder('metrics'), folder('proxy')],
    },
  ];
}

/** Each package has one owner, so that it can be replaced, and seen whole, in one file. */
const owners: Readonly<Record<string, string>> = {
  koffi: '^pkg/netlink/libc[.]ts$',
  pino: folder('log'),
  'prom-client': folder('metrics'),
  '@kubernetes/client-node': '^pkg/kube/credentials/library[.]ts$',
  yaml: folder('yaml'),
};

type Layer = { readonly name: string; readonly from: string; readonly may: readonly string[] };

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
      pathNot: [...bottom, ...faces, '^pkg/$1/(?!netlink|restore|proc|raw|schema)'],
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

function folder(name: string): string {
  return `^pkg/${name}/`;
}

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
