import type { Machine } from './iptables.ts';

/**
 * A machine whose kernel has not loaded nf_tables. Programs that read rules of nft would load it, so they are not run: there are no
 * such rules.
 */
export function withoutNfTables(machine: Machine): Machine {
  return {
    ...machine,
    async run(program, parameters, options) {
      if (await readsNft(machine, { program, options })) return { ...nothing };
      return await machine.run(program, parameters, options);
    },
  };
}

const nothing = { status: 0, stdout: '', stderr: '' };

async function readsNft(
  machine: Machine,
  { program, options }: { program: string; options: Parameters<Machine['run']>[2] },
): Promise<boolean> {
  const [, base, flavour] = /^(ip6?tables)(-nft|-legacy)?-save$/.exec(program) ?? [];
  if (base === undefined) return false;
  if (flavour !== undefined) return flavour === '-nft';
  const { stdout } = await machine.run(base, ['--version'], { timeout: options.timeout });
  return stdout.includes('nf_tables');
}
