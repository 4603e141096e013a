/** Who may import whom, as a table. Tests may import everything; what is not in the table may import nothing of ours. */

/** Files of `from` may import their own folder and what `may` matches, nothing else of ours. */
export interface Layer {
  readonly name: string;
  readonly from: string;
  readonly may: readonly string[];
}

/** Folders of `pkg/` whose face (the file named after the folder) speaks of one part of the kernel. */
export const kernelFolders = [
  ...['connections', 'conntrack', 'firewall', 'ipset', 'ipvs'],
  ...['links', 'neighbours', 'nftables', 'reset', 'routes', 'sysctl'],
];
/** The faces of all of them. */
export const faces = kernelFolders.map((folder) => `^pkg/${folder}/${folder}[.]ts$`);
/** What nearly everything may import. */
export const bottom = [folder('errno'), folder('ip')];

/** The rows of the table. */
export const layers: readonly Layer[] = [
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
  { name: 'terminal', from: folder('terminal'), may: [] },
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
      ...['terminal', 'log', 'runner'].map(folder),
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
      ...['trace', 'terminal', 'log', 'runner'].map(folder),
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
      '^pkg/runner/progress[.]ts$',
      folder('log'),
      ...bottom,
    ],
  },
  {
    name: 'status',
    from: folder('status'),
    may: [
      '^pkg/ipvs/ipvs[.]ts$',
      '^pkg/kube/(types|object-key|annotations|objects/pod-uid)[.]ts$',
      '^pkg/proxy/(view|reporter)[.]ts$',
      '^pkg/proxy/(changes|desired|observed|graceful)/',
      ...['terminal', 'log', 'runner'].map(folder),
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

/** The files of a folder of `pkg/`. */
export function folder(name: string): string {
  return `^pkg/${name}/`;
}
