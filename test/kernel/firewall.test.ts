import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Table } from '../../pkg/firewall/firewall.ts';
import { nftGeneration } from '../../pkg/firewall/generation.ts';
import { hasProgram, type Machine } from '../../pkg/firewall/iptables.ts';
import { runProcess } from '../../pkg/firewall/process.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { savedRule } from '../../pkg/firewall/saved.ts';
import { type Family, families } from '../../pkg/ip/address.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { rules } from '../../pkg/proxy/desired/chains.ts';
import { type SetId, setHeader, setIds } from '../../pkg/proxy/desired/sets.ts';
import {
  firewallContract,
  firewallLockContract,
  type LockedFirewallHarness,
} from '../contract/firewall.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, run } from '../support/namespace.ts';

const flavours = ['nft', 'legacy'] as const;

function base(family: Family): string {
  return family === 'IPv4' ? 'iptables' : 'ip6tables';
}

const namespace = createNamespace();

const connection = openConnection(NETLINK_NETFILTER, { netns: namespace.path });
const hasIpvs = existsSync('/proc/net/ip_vs');

/** A lock of our own: that of the machine serves every namespace, and other tests hold it. */
const lockFile = join(tmpdir(), `${namespace.name}.lock`);

/** Has another process hold the lock of iptables-legacy. Returns what ends it. */
async function holdLock(): Promise<() => void> {
  const holder = spawn('flock', [lockFile, 'sh', '-c', 'echo held; exec cat']);
  await once(holder.stdout, 'data');
  return () => holder.stdin.end();
}

/** Runs a command where this thread is, which is inside the namespace from beforeAll on. */
function sh(command: string): string {
  return run('sh', '-c', command);
}

/** Works, and prints something: the kernel has this flavour. */
function hasFlavour(flavour: string): boolean {
  try {
    return namespace.run(`iptables-${flavour}`, '-S').includes('-P INPUT');
  } catch {
    return false;
  }
}

function clear(flavour: string): void {
  const empty = '*filter\\nCOMMIT\\n*nat\\nCOMMIT\\n';
  sh(
    families.map((family) => `printf '${empty}' | ${base(family)}-${flavour}-restore`).join(' && '),
  );
}

/** A machine with the programs of this flavour only. */
function machineOf(flavour: string): Machine {
  return {
    run: runProcess,
    hasProgram: async (name) => name.includes(flavour) && hasProgram(name),
    legacyTables: async () => [],
  };
}

function createCommand(id: SetId, family: Family): string {
  const header = setHeader(id, family);
  return header.type === 'bitmap:port'
    ? `create ${header.name} ${header.type} range ${header.firstPort}-${header.lastPort}`
    : `create ${header.name} ${header.type} family ${family === 'IPv4' ? 'inet' : 'inet6'}`;
}

/** A firewall that finds the programs of this flavour only. */
function harness(flavour: string): LockedFirewallHarness {
  const generation = flavour === 'nft' ? { generation: nftGeneration(connection) } : {};
  const firewall = new RestoreFirewall({ ...generation, machine: machineOf(flavour) });
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
      void sh(
        `ipset -exist create ${name} hash:ip,port family ${family === 'IPv4' ? 'inet' : 'inet6'}`,
      ),
    holdLock,
  };
}

let leave = () => {};
beforeAll(() => {
  process.env['XTABLES_LOCKFILE'] = lockFile;
  leave = namespace.enter();
});
afterAll(() => {
  leave();
  connection.close();
  namespace.remove();
  delete process.env['XTABLES_LOCKFILE'];
  rmSync(lockFile, { force: true });
});

describe.each(flavours)('iptables-%s', (flavour) => {
  const isThere = hasFlavour(flavour);
  describe.skipIf(!isThere)(isThere ? 'of this kernel' : 'is missing here', () => {
    afterEach(() => clear(flavour));
    // What differs between the families differs with both flavours in the same way.
    const asked = flavour === 'nft' ? families : (['IPv4'] as const);
    firewallContract('iptables-restore', async () => harness(flavour), asked);
    if (flavour === 'legacy') firewallLockContract('the lock', async () => harness(flavour));

    test.each(families)(
      'every rule of the proxier is printed back as foreseen, %s',
      async (family) => {
        const { firewall, dump } = harness(flavour);
        sh(
          `ipset -exist restore <<END\n${setIds.map((id) => createCommand(id, family)).join('\n')}\nEND`,
        );
        const { chains, jumps } = rules(family, {
          nonEmpty: new Set(setIds),
          masqueradeMark: 0x4000,
          masqueradeAll: false,
          localDetector: { kind: 'interface', name: 'cali+' },
          randomFully: true,
          rejectedLoadBalancers: hasIpvs
            ? [
                {
                  address: ip(family === 'IPv4' ? '203.0.113.9' : '2001:db8:203:113::9'),
                  protocol: 'SCTP',
                  port: 80,
                },
              ]
            : [],
        });
        await firewall.apply(family, { chains, jumps });
        const lines = (await dump(family)).split('\n');
        for (const { name, rules: own } of chains) {
          const expected = own.map((rule) => savedRule(name, rule, family));
          for (const text of expected) expect(lines).toContain(text);
        }
        expect(lines.filter((line) => line.startsWith('-A KUBE-'))).toHaveLength(
          chains.flatMap((chain) => chain.rules).length,
        );
      },
    );

    test.skipIf(hasIpvs)('a module that is missing is named', async () => {
      const match = {
        match: 'ipvs',
        address: ip('203.0.113.9'),
        protocol: 'TCP',
        port: 80,
      } as const;
      const rule = { matches: [match], target: { target: 'DROP' } } as const;
      const chain = { table: 'filter', name: 'KUBE-TEST', rules: [rule] } as const;
      await expect(
        harness(flavour).firewall.apply('IPv4', { chains: [chain], jumps: [] }),
      ).rejects.toThrow(/^apply IPv4 rules: EOPNOTSUPP \(the kernel lacks the module xt_ipvs/);
    });
  });
});

describe.skipIf(!hasFlavour('nft'))('nft', () => {
  afterEach(() => clear('nft'));

  test('while nothing changes in nf_tables, nothing is run to check', async () => {
    const ran: string[] = [];
    const machine: Machine = {
      ...machineOf('nft'),
      run(command, parameters, options) {
        ran.push(command);
        return runProcess(command, parameters, options);
      },
    };
    const firewall = new RestoreFirewall({ generation: nftGeneration(connection), machine });
    const ruleset = {
      chains: [{ table: 'nat', name: 'KUBE-TEST', rules: [] }],
      jumps: [],
    } as const;
    await firewall.apply('IPv4', ruleset);
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
    ran.length = 0;
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
    expect(ran).toEqual([]);
    sh('ip6tables-nft -t filter -N SOMEBODY');
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
    expect(await firewall.check('IPv4', ruleset)).toBe('same');
    expect(ran).toEqual(['iptables-nft-save']);
    sh('nft flush ruleset || iptables-nft -t nat -X KUBE-TEST');
    expect(await firewall.check('IPv4', ruleset)).toBe('different');
  });
});

const hasNft = hasFlavour('nft') && (await hasProgram('nft'));

describe.skipIf(!hasNft)(hasNft ? 'rules that only nft can print' : 'nft is missing here', () => {
  afterEach(() => void sh('nft flush ruleset'));

  test.each(families)(
    'stand beside ours, which are written, checked and removed as ever, %s',
    async (family) => {
      const errors: string[] = [];
      const firewall = new RestoreFirewall({
        generation: nftGeneration(connection),
        machine: machineOf('nft'),
        log: { error: (message) => void errors.push(message) },
      });
      const version = family === 'IPv4' ? 'ip' : 'ip6';
      const foreign = 'ct state vmap { established : accept, related : accept }';
      sh(
        `${base(family)}-nft -P INPUT ACCEPT && nft add rule ${version} filter INPUT '${foreign}'`,
      );
      const rule = { matches: [], target: { target: 'DROP' } } as const;
      const ruleset = {
        chains: [{ table: 'filter', name: 'KUBE-TEST', rules: [rule] }],
        jumps: [{ table: 'filter', from: 'INPUT', comment: 'a test', to: 'KUBE-TEST' }],
      } as const;
      const printed = () => sh(`nft list table ${version} filter`);
      for (let round = 0; round < 3; round++) {
        await firewall.apply(family, ruleset);
        expect(await firewall.check(family, ruleset)).toBe('same');
        sh(`${base(family)}-nft -N SOMEBODY && ${base(family)}-nft -X SOMEBODY`);
        expect(await firewall.check(family, ruleset)).toBe('same');
      }
      expect(printed().match(/jump KUBE-TEST/g)).toHaveLength(1);
      sh(`nft flush chain ${version} filter KUBE-TEST`);
      expect(await firewall.check(family, ruleset)).toBe('different');
      sh(`${base(family)}-nft -I INPUT -m comment --comment 'a test' -j KUBE-TEST`);
      await firewall.remove(family, ruleset);
      expect(printed()).not.toContain('KUBE-TEST');
      expect(printed()).toContain('vmap');
      expect(errors).toEqual(['iptables cannot print a table']);
    },
  );
});

describe.skipIf(!flavours.every(hasFlavour))('with both flavours', () => {
  afterEach(() => {
    for (const flavour of flavours) clear(flavour);
  });

  test.each(flavours)("the one with kubelet's canary is used: %s", async (flavour) => {
    const other = flavour === 'nft' ? 'legacy' : 'nft';
    sh(`for i in 1 2 3; do iptables-${other} -A INPUT -j ACCEPT; done`);
    sh(`iptables-${flavour} -t mangle -N KUBE-KUBELET-CANARY`);
    const { description } = await new RestoreFirewall().capabilities('IPv4');
    sh(`iptables-${flavour} -t mangle -X KUBE-KUBELET-CANARY`);
    expect(description).toContain(flavour === 'nft' ? '(nf_tables)' : '(legacy)');
  });

  test.each(flavours)('without one, that with more rules is used: %s', async (flavour) => {
    sh(`iptables-${flavour} -A INPUT -j ACCEPT`);
    const { description } = await new RestoreFirewall().capabilities('IPv4');
    expect(description).toContain(flavour === 'nft' ? '(nf_tables)' : '(legacy)');
  });
});
