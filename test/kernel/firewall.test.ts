import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterEach, describe } from 'vitest';
import type { Table } from '../../pkg/firewall/firewall.ts';
import { hasProgram } from '../../pkg/firewall/iptables.ts';
import { runProcess } from '../../pkg/firewall/process.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { type Family, families } from '../../pkg/ip/address.ts';
import { type FirewallHarness, firewallContract } from '../contract/firewall.ts';

const flavours = ['nft', 'legacy'] as const;

function base(family: Family): string {
  return family === 'IPv4' ? 'iptables' : 'ip6tables';
}

function sh(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: 'pipe' });
}

/** Works, and prints something: the kernel has this flavour. */
function hasFlavour(flavour: string): boolean {
  try {
    return sh(`iptables-${flavour} -S`).includes('-P INPUT');
  } catch {
    return false;
  }
}

function clear(flavour: string): void {
  for (const family of families) {
    for (const table of ['filter', 'nat']) {
      sh(`${base(family)}-${flavour} -t ${table} -F; ${base(family)}-${flavour} -t ${table} -X`);
    }
  }
  sh('ipset list -n | while read -r set; do ipset destroy "$set"; done');
}

/** A firewall that finds the programs of this flavour only. */
function harness(flavour: string): FirewallHarness {
  const firewall = new RestoreFirewall({
    machine: {
      run: runProcess,
      hasProgram: async (name) => name.includes(flavour) && hasProgram(name),
      legacyTables: async () => [],
    },
  });
  const program = (family: Family) => `${base(family)}-${flavour}`;
  const rule = (family: Family, { table, words }: { table: Table; words: string }) =>
    void sh(`${program(family)} -t ${table} ${words}`);
  return {
    firewall,
    dump: async (family) => sh(`${program(family)}-save`),
    flushChain: async (family, { table, name }) => rule(family, { table, words: `-F ${name}` }),
    removeRule: async (family, { table, rule: text }) =>
      rule(family, { table, words: text.replace(/^-A/, '-D') }),
    insertRule: async (family, { table, rule: text }) =>
      rule(family, { table, words: text.replace(/^-A/, '-I') }),
    createSet: async (family, name) =>
      void sh(`ipset create ${name} hash:ip,port family ${family === 'IPv4' ? 'inet' : 'inet6'}`),
  };
}

describe.each(flavours)('iptables-%s', (flavour) => {
  const isThere = existsSync('/proc/net') && hasFlavour(flavour);
  describe.skipIf(!isThere)(isThere ? 'of this kernel' : 'is missing here', () => {
    afterEach(() => clear(flavour));
    firewallContract('iptables-restore', async () => harness(flavour));
  });
});
