import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Who writes to the kernel, and who changes what is wanted. In the proxier, IPVS, sets, addresses and rules are written by `apply` alone.

/** Names of methods, or patterns of names, by the type that has them. */
type Methods = Readonly<Record<string, readonly string[]>>;

/** The methods of the kernel's interfaces that write, by the type of the interface. */
const writing: Methods = {
  Ipvs: ['write', 'setTimeouts'],
  IpSets: ['create', 'destroy', 'swap', 'write'],
  Links: ['ensureDummy', 'deleteLink', 'write'],
  Routes: ['write'],
  Firewall: ['apply', 'remove'],
  RuleTables: ['remove'],
  NftTables: ['deleteTable'],
  Conntrack: ['add', 'delete'],
  Resetter: ['abort', 'challenge'],
  Sysctl: ['write'],
};

/** The methods that change what is wanted, by the class that holds it. */
const wanting: Methods = {
  Ledger: [
    ...['set', 'change', 'remove', 'retire', 'release', 'forget', 'keep', 'decide'],
    'closeRanges',
  ],
  VipRoutes: ['observe', 'refresh', 'useRanges'],
};

/** The methods that change the mirror of what the kernel holds. */
const recording: Methods = { Mirror: ['record\\w*'], HeldRoutes: ['record\\w*'] };

/** The source files, by path, without tests and fakes. */
function sources(): ReadonlyMap<string, string> {
  const exclude = ['**/*.test.ts', '**/fake.ts'];
  const files = globSync('{pkg,cmd}/**/*.ts', { exclude });
  return new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

/** The properties, parameters and variables that are declared with a type, or hold a new object of it: `ipvs`, `sysctl` and `sysfs`. */
function receiversOf(type: string, texts: Iterable<string>): ReadonlySet<string> {
  const declaration = new RegExp(`(\\w+)(?:[?]?: (?:Pick<)?| = new )${type}\\b`, 'g');
  return new Set(
    [...texts].flatMap((text) => [...text.matchAll(declaration)].map(([, name]) => name ?? '')),
  );
}

/** Each use of a writing method, by file: `ipvs.write`. Optional chaining and a method that is passed on count as well. */
function writersOf(
  files: ReadonlyMap<string, string>,
  table: Methods = writing,
): Readonly<Record<string, readonly string[]>> {
  const methods = Object.entries(table).flatMap(([type, names]) =>
    [...receiversOf(type, files.values())].flatMap((receiver) =>
      names.map((method) => ({ receiver, method })),
    ),
  );
  const found = [...files].map(([file, text]): [string, readonly string[]] => {
    const calls = methods.flatMap(({ receiver, method }) =>
      [...text.matchAll(new RegExp(`\\b${receiver}[?!]?[.](${method})\\b`, 'g'))].map(
        ([, name]) => `${receiver}.${name}`,
      ),
    );
    return [file.replace(/^pkg[/]/, ''), [...new Set(calls)].toSorted()];
  });
  return Object.fromEntries(found.filter(([, calls]) => calls.length > 0));
}

test('a writer is found by the type of what it writes to, whatever its name, and with optional chaining', () => {
  const files = new Map([
    [
      'options.ts',
      'interface Options { readonly tables: RuleTables; readonly sets?: Pick<IpSets, "swap"> }',
    ],
    [
      'private.ts',
      'class A { readonly #tables; run() { return this.#tables.remove(place, []); } }',
    ],
    ['chained.ts', 'function run(kernel: Kernel) { kernel.sets?.swap(one, other); }'],
    ['passed-on.ts', 'each(rest, options.sets!.swap);'],
    ['reader.ts', 'const found = await tables.read(); sets.swapped();'],
  ]);
  expect(writersOf(files)).toEqual({
    'private.ts': ['tables.remove'],
    'chained.ts': ['sets.swap'],
    'passed-on.ts': ['sets.swap'],
  });
});

test('the kernel is written where this list says, and nowhere else', () => {
  expect(writersOf(sources())).toEqual({
    // `--cleanup`, which runs in place of everything else: deletions, planned as data.
    'cleanup/cleanup.ts': [
      ...['firewall.remove', 'ipsets.destroy', 'ipvs.write', 'links.deleteLink'],
      ...['nftTables.deleteTable', 'routes.write', 'rules.remove'],
    ],
    // Before the proxier is made: whether a virtual server can be made at all.
    'ipvs/probe.ts': ['ipvs.write'],
    // Settings of the node and of this process, once at the start.
    'node/conntrack-settings.ts': ['sysctl.write', 'sysfs.write'],
    'node/ipvs-timeouts.ts': ['ipvs.setTimeouts'],
    'node/oom-score.ts': ['process.write'],
    'proxy/apply/applier.ts': [
      ...['ipsets.create', 'ipsets.destroy', 'ipsets.swap', 'ipsets.write'],
      ...['links.ensureDummy', 'links.write', 'routes.write'],
    ],
    'proxy/apply/cleaner.ts': ['conntrack.delete', 'resetter.abort'],
    'proxy/apply/ipvs-writer.ts': ['ipvs.write'],
    // After the first sync, in the background: deletions, planned as data.
    'proxy/apply/leftovers.ts': ['nftTables.deleteTable', 'ruleTables.remove'],
    'proxy/apply/rule-writer.ts': ['firewall.apply', 'firewall.remove'],
    // When `apply` has asked for it.
    'proxy/flows/stale-flows.ts': ['conntrack.delete'],
    // A moment after the deletions, at a bounded rate: the cleaner asks for it.
    'proxy/graceful/client-resetter.ts': [
      'conntrack.add',
      'conntrack.delete',
      'resetter.challenge',
    ],
    // For a manager of drains that runs without the proxier.
    'proxy/graceful/plain-apply.ts': ['ipvs.write'],
    'proxy/settings/kernel-settings.ts': ['sysctl.write'],
  });
});

test('a method is found by a pattern, also where its object was made', () => {
  const files = new Map([
    ['other.ts', 'const known = new Mirror(); known.recordSwap(one, other); known.records;'],
  ]);
  expect(writersOf(files, { Mirror: ['record\\w+(?=[(])'] })).toEqual({
    'other.ts': ['known.recordSwap'],
  });
});

test('the mirror is changed by what writes the kernel and by what reads it: all others have a view of it', () => {
  expect(writersOf(sources(), recording)).toEqual({
    // Mirrors of their own, made from what was read for one answer, or one clean-up.
    'cleanup/plan.ts': [
      ...['mirror.recordAddresses', 'mirror.recordNodeAddresses'],
      ...['mirror.recordSet', 'routes.recordAll'],
    ],
    'status/kernel-view.ts': ['mirror.recordVirtualServer'],
    // What the kernel took, and what is unknown since a write failed.
    'proxy/apply/applier.ts': [
      ...['mirror.recordAddress', 'mirror.recordDevice', 'mirror.recordEntry'],
      ...['mirror.recordFailedAddress', 'mirror.recordFailedEntry'],
      ...['mirror.recordSet', 'mirror.recordSetSize', 'mirror.recordSwap'],
      ...['routes.record', 'routes.recordDeleted', 'routes.recordFailed'],
    ],
    'proxy/apply/ipvs-writer.ts': [
      ...['mirror.recordAlike', 'mirror.recordFailedWrite', 'mirror.recordWrite'],
    ],
    'proxy/apply/rule-writer.ts': ['mirror.recordRules'],
    // Which families rules of iptables mode serve: read before the first sync, over when ours replace them.
    'proxy/apply/leftovers.ts': ['mirror.recordServedByIptables'],
    // What was read: addresses and routes; sets and virtual servers; whose pods real servers were found to be.
    'proxy/observed/vip-reader.ts': [
      ...['mirror.recordAddresses', 'mirror.recordDevice', 'mirror.recordNodeAddresses'],
      'routes.recordAll',
    ],
    'proxy/observed/kernel-reader.ts': [
      'mirror.recordSet',
      'mirror.recordSetSize',
      'mirror.recordUnknownVirtualServer',
      'mirror.recordVirtualServer',
    ],
    'proxy/observed/held-pods.ts': ['mirror.recordPod'],
  });
});

test('what is wanted changes where this list says: what reads the kernel changes nothing of it', () => {
  expect(writersOf(sources(), wanting)).toEqual({
    // Ledgers of their own, which no proxier has: made from objects for an answer.
    'explain/ledger.ts': ['ledger.closeRanges', 'ledger.set'],
    'status/kernel-view.ts': ['ledger.retire', 'ledger.set'],
    // What the API said.
    'proxy/changes/ledger-updater.ts': ['ledger.change', 'ledger.remove', 'ledger.set'],
    'proxy/changes/start-guard.ts': ['ledger.decide', 'ledger.keep'],
    // The ends of front ends that nobody wants.
    'proxy/apply/linger.ts': ['ledger.forget', 'ledger.release'],
    'proxy/apply/reconciler.ts': ['ledger.retire'],
    // Routes follow the addresses of devices, the Node and configured ranges; sets close the ranges that have one.
    'proxy/apply/vip-moves.ts': ['vipRoutes.observe', 'vipRoutes.refresh'],
    'proxy/desired/vip-routes.ts': ['ledger.closeRanges'],
    'proxy/proxier.ts': ['vipRoutes.useRanges'],
  });
});
