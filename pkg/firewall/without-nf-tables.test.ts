import { expect, test } from 'vitest';
import type { Machine } from './iptables.ts';
import { withoutNfTables } from './without-nf-tables.ts';

/** A machine whose iptables is of a flavour, and the programs that ran on it. */
function machineOf(version: string): { machine: Machine; ran: string[] } {
  const ran: string[] = [];
  const machine: Machine = {
    async run(program, parameters) {
      ran.push([program, ...parameters].join(' '));
      return {
        status: 0,
        stdout: parameters.includes('--version') ? version : 'rules',
        stderr: '',
      };
    },
    hasProgram: async () => true,
    legacyTables: async () => ['nat'],
  };
  return { machine, ran };
}

const timeout = 1_000;

test.each(['iptables-nft-save', 'ip6tables-nft-save'])('%s is not run', async (program) => {
  const { machine, ran } = machineOf('iptables v1.8.9 (nf_tables)');
  const result = await withoutNfTables(machine).run(program, [], { timeout });
  expect(result).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(ran).toEqual([]);
});

test('a plain iptables-save is not run if it is of nft', async () => {
  const { machine, ran } = machineOf('iptables v1.8.9 (nf_tables)');
  expect((await withoutNfTables(machine).run('iptables-save', [], { timeout })).stdout).toBe('');
  expect(ran).toEqual(['iptables --version']);
});

test.each(['iptables-save', 'iptables-legacy-save', 'ip6tables-legacy-save'])(
  '%s of legacy is run',
  async (program) => {
    const { machine, ran } = machineOf('iptables v1.8.9 (legacy)');
    expect((await withoutNfTables(machine).run(program, [], { timeout })).stdout).toBe('rules');
    expect(ran.at(-1)).toBe(program);
  },
);
