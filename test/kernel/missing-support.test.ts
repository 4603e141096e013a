import { readFileSync, writeFileSync } from 'node:fs';
import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { ManifestFile } from '../support/manifests.ts';
import { unloadModule } from '../support/modules.ts';
import { createNamespace, type Namespace, run } from '../support/namespace.ts';
import { fetchText } from '../support/network/http.ts';
import { bundled, Program } from '../support/program.ts';

// What the program says where the kernel, the machine or its own rights do not suffice: one line with what is missing and what
// helps, and status 1.

let namespace: Namespace;
let manifests: ManifestFile;
let program: Program | undefined;

beforeEach(() => {
  namespace = createNamespace();
  manifests = new ManifestFile();
  manifests.write([]);
});

afterEach(async () => {
  await program?.end('SIGKILL');
  program = undefined;
  namespace.remove();
  manifests.remove();
});

interface Conditions {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
}

async function start({ before = [], flags = [] }: Conditions): Promise<Program> {
  program = await Program.start(namespace, { before, flags: [manifests.flag, ...flags] });
  return program;
}

/** A shell that does something to its own view of the file system, then becomes the program. */
function after(line: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-ec', `${line}; exec "$@"`, 'sh'];
}

async function expectRefusal(conditions: Conditions, says: string): Promise<void> {
  const started = await start(conditions);
  expect(await started.ended()).toEqual({ status: 1, signal: null });
  const complaints = started.output.split('\n').filter((line) => !/^[IW]\d{4} |^$/.test(line));
  expect(complaints).toEqual([expect.stringContaining(says)]);
  expect(complaints[0]).toMatch(/^kube-proxy: /);
}

const readOnlySettings = after(
  'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys',
);

interface Lack extends Conditions {
  readonly name: string;
  readonly says: string;
}

const lacks: readonly Lack[] = [
  {
    name: 'the capability',
    before: ['setpriv', '--inh-caps=-all', '--bounding-set=-all'],
    says: 'needs the capability CAP_NET_ADMIN',
  },
  {
    name: 'a scheduler',
    flags: ['--ipvs-scheduler=nosuch'],
    says: 'the kernel has no scheduler nosuch: load the module ip_vs_nosuch',
  },
  {
    name: 'iptables',
    // Not even an administrator can start what may not be executed.
    before: after('for name in /usr/sbin/xtables-*-multi; do mount --bind /dev/null $name; done'),
    says: 'no support for primary IP family: look for IPv4 iptables: ENOENT (no iptables-restore in PATH: install the package iptables)',
  },
  {
    name: 'a /proc/sys that can be written',
    before: readOnlySettings,
    says: "can't set sysctl net/ipv4/vs/conntrack to 1: write 1 to net/ipv4/vs/conntrack: EROFS (/proc/sys is read-only: run privileged, or set it on the node)",
  },
];

test.each(lacks)('what is missing: $name', async ({ says, ...conditions }) => {
  await expectRefusal(conditions, says);
});

test('without NET_RAW one line and a metric say what is done without; rules of Services are not written', async () => {
  manifests.write([service('web', { clusterIP: '172.30.0.1' }), slice('web', ['10.0.1.1'])]);
  const before = ['setpriv', '--inh-caps=-net_raw', '--bounding-set=-net_raw'];
  const started = await start({ before });
  await started.said('first sync done');
  expect(started.output.split('a capability is missing: add NET_RAW')).toHaveLength(2);
  // The match of iptables on sets opens a raw socket.
  expect(started.output).toContain("Can't open socket to ipset");
  const node = { name: 'node', namespace, addresses: [] };
  const address = ip('127.0.0.1');
  const metrics = await fetchText(node, { address, port: 10_249, path: '/metrics' });
  expect(metrics.match(/^kubeproxy_ipvs_missing_capabilities\{.*$/gm)).toEqual([
    'kubeproxy_ipvs_missing_capabilities{capability="CAP_NET_RAW"} 1',
  ]);
});

test('where everything is set already, nobody needs a /proc/sys that can be written', async () => {
  const first = await start({});
  await first.said('first sync done');
  expect(first.output).toContain('path="net/ipv4/vs/conntrack"');
  await first.end('SIGTERM');
  const second = await start({ before: readOnlySettings });
  await second.said('first sync done');
});

test('after --init-only three capabilities are enough, beside a /proc/sys that cannot be written', async () => {
  const prepared = await start({ flags: ['--init-only'] });
  expect(await prepared.ended(), prepared.output).toEqual({ status: 0, signal: null });
  manifests.write([service('web', { clusterIP: '172.30.0.1' }), slice('web', ['10.0.1.1'])]);
  const rights = '-all,+net_admin,+net_raw,+sys_resource';
  const setpriv = ['setpriv', `--inh-caps=${rights}`, `--bounding-set=${rights}`];
  const started = await start({ before: [...readOnlySettings, ...setpriv] });
  await started.said('first sync done');
  expect(started.output).not.toMatch(/^E\d{4} /m);
  expect(namespace.run('ipvsadm', '-Sn')).toContain('-A -t 172.30.0.1:80 -s rr');
});

/** Who loads modules for the kernel: without it none is loaded that is only asked for. */
const helper = '/proc/sys/kernel/modprobe';

/** Where the program's own modprobe finds nothing. */
const withoutModuleFiles = after('mount -t tmpfs none /usr/lib/modules');

// Elsewhere somebody else may need the modules.
describe.runIf(process.env['KERNEL_WHERE'] === 'vm')('a module that is not there', () => {
  let autoload = '';

  beforeEach(() => {
    autoload = readFileSync(helper, 'utf8');
    writeFileSync(helper, '/bin/false');
  });

  afterEach(() => {
    writeFileSync(helper, autoload);
    for (const name of ['ip_vs', 'ip_set', 'dummy']) run('modprobe', name);
  });

  const modules = [
    { module: 'ip_vs', says: 'the kernel has no IPVS: load the module ip_vs (modprobe ip_vs)' },
    { module: 'ip_set', says: 'kernel module ip_set is missing: modprobe ip_set' },
    {
      module: 'ip_vs_lblcr',
      says: 'the kernel has no scheduler lblcr: load the module ip_vs_lblcr',
    },
  ];

  test.each(modules)('$module', async ({ module, says }) => {
    await unloadModule(module);
    const flags = module.startsWith('ip_vs_') ? [`--ipvs-scheduler=${module.slice(6)}`] : [];
    await expectRefusal({ flags, before: withoutModuleFiles }, says);
    // What it says helps.
    run('modprobe', module);
    writeFileSync(helper, autoload);
    await (await start({ flags, before: withoutModuleFiles })).said('first sync done');
  });

  test('dummy: it is said, and the program goes on once it is there', async () => {
    await unloadModule('dummy');
    const started = await start({ before: withoutModuleFiles });
    await started.said('kernel module dummy is missing: modprobe dummy');
    run('modprobe', 'dummy', 'numdummies=0');
    await started.said('first sync done');
  });
});

// Elsewhere somebody else may need the modules.
describe.runIf(process.env['KERNEL_WHERE'] === 'vm')('what only reads loads no module', () => {
  const modules = ['ip_vs', 'ip_set'];

  afterEach(() => {
    for (const name of modules) run('modprobe', name);
  });

  function loaded(): readonly string[] {
    const names = readFileSync('/proc/modules', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[0]);
    return modules.filter((name) => names.includes(name));
  }

  test.each([
    {
      command: 'plan',
      argv: [],
      says: 'Kernel modules that are loaded:\n  ip_vs\n  ip_vs_rr\n  ip_set\n',
    },
    {
      command: 'explain',
      argv: ['node=127.0.0.1', '172.30.0.1:80/TCP'],
      says: ': TCP from 127.0.0.1 to 172.30.0.1:80',
    },
    { command: 'dump', argv: [], says: '"ip_vs":false,"ip_set":false,' },
  ])('$command', async ({ command, argv, says }) => {
    for (const name of modules) await unloadModule(name);
    expect(loaded()).toEqual([]);
    const words = [process.execPath, await bundled(), command, ...argv];
    const flags = ['--hostname-override=here', manifests.flag];
    const said = namespace.run('sh', '-c', '"$@" 2>&1 || true', 'sh', ...words, ...flags);
    expect(said).toContain(says);
    expect(loaded()).toEqual([]);
  });
});
