import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inMountNamespace, ManifestNode } from '../../support/manifest-node.ts';
import { stopAutoloading, unloadModule } from '../../support/modules.ts';
import { run } from '../../support/namespace.ts';
import { bundled } from '../../support/program.ts';

// What the program says of a module that is not loaded, and what it does and does not do about it.

let node: ManifestNode;

beforeEach(() => {
  node = new ManifestNode();
});

afterEach(() => node.remove());

/** Where the program's own modprobe finds nothing. */
const withoutModuleFiles = inMountNamespace('mount -t tmpfs none /usr/lib/modules');

// Elsewhere somebody else may need the modules.
describe.runIf(process.env['KERNEL_WHERE'] === 'vm')('a module that is not there', () => {
  let startAutoloading = () => {};

  beforeEach(() => {
    startAutoloading = stopAutoloading();
  });

  afterEach(() => {
    startAutoloading();
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
    await node.expectRefusal({ flags, before: withoutModuleFiles }, says);
    // What it says helps.
    run('modprobe', module);
    startAutoloading();
    await (await node.start({ flags, before: withoutModuleFiles })).said('first sync done');
  });

  test('dummy: it is said, and the program goes on once it is there', async () => {
    await unloadModule('dummy');
    const started = await node.start({ before: withoutModuleFiles });
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
    const flags = ['--hostname-override=here', node.manifests.flag];
    const said = node.namespace.run('sh', '-c', '"$@" 2>&1 || true', 'sh', ...words, ...flags);
    expect(said).toContain(says);
    expect(loaded()).toEqual([]);
  });
});
