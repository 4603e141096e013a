import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Who writes to the kernel. In the proxier, IPVS, sets, addresses and rules are written by `apply` alone.

/** The methods of the kernel's interfaces that write. */
const writing: Readonly<Record<string, readonly string[]>> = {
  ipvs: ['write', 'setTimeouts'],
  ipsets: ['create', 'destroy', 'swap', 'write'],
  links: ['ensureDummy', 'deleteLink', 'write'],
  firewall: ['apply', 'remove'],
  conntrack: ['add', 'delete'],
  resetter: ['abort', 'challenge'],
  sysctl: ['write'],
};

/** Each call of one, by file: `ipvs.write`. */
function writersOf(files: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const found = files.map((file): [string, readonly string[]] => {
    const text = readFileSync(file, 'utf8');
    const calls = Object.entries(writing).flatMap(([interface_, methods]) =>
      methods
        .map((method) => `${interface_}.${method}`)
        .filter((call) => new RegExp(`\\b${call.replace('.', '[.]')}[(]`).test(text)),
    );
    return [file.replace(/^pkg[/]/, ''), calls];
  });
  return Object.fromEntries(found.filter(([, calls]) => calls.length > 0));
}

test('the kernel is written where this list says, and nowhere else', () => {
  const exclude = ['**/*.test.ts', '**/fake.ts'];
  expect(writersOf(globSync('{pkg,cmd}/**/*.ts', { exclude }))).toEqual({
    // `--cleanup`, which runs in place of everything else: deletions, planned as data.
    'cleanup/cleanup.ts': ['ipsets.destroy', 'links.deleteLink', 'firewall.remove'],
    // Before the proxier is made: whether a virtual server can be made at all.
    'ipvs/probe.ts': ['ipvs.write'],
    // Settings of the node, once at the start.
    'node/conntrack-settings.ts': ['sysctl.write'],
    'node/ipvs-timeouts.ts': ['ipvs.setTimeouts'],
    'proxy/apply/applier.ts': [
      ...['ipvs.write', 'ipsets.create', 'ipsets.destroy', 'ipsets.swap', 'ipsets.write'],
      ...['links.ensureDummy', 'links.write'],
    ],
    'proxy/apply/cleaner.ts': ['conntrack.delete', 'resetter.abort'],
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
