import { expect, test } from 'vitest';
import type { Machine } from '../../pkg/firewall/iptables.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { families } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { Stand, setService, setSlice } from '../support/proxier.ts';

/**
 * A machine with programs of both flavours, that notes what it runs. Writes of the two families end together: neither can change
 * the generation before the other one has begun.
 */
function machine(): Machine & { readonly ran: string[]; generation: number } {
  const { promise: bothWrite, resolve: endWrites } = Promise.withResolvers<void>();
  const ran: string[] = [];
  const made = {
    ran,
    generation: 1,
    async run(command: string) {
      ran.push(command);
      if (command.endsWith('-restore')) {
        if (ran.filter((each) => each.endsWith('-restore')).length === families.length) endWrites();
        await bothWrite;
        made.generation++;
      }
      const stdout = command.endsWith('tables-nft') ? 'iptables v1.8.9 (nf_tables)' : '';
      return { status: 0, stdout, stderr: '' };
    },
    hasProgram: async () => true,
    legacyTables: async () => [],
  };
  return made;
}

test('a first sync waits for one program of each family, and for no time to pass', async () => {
  const programs = machine();
  const { ran } = programs;
  const firewall = new RestoreFirewall({
    machine: programs,
    generation: () => programs.generation,
  });
  await Promise.all(families.map((family) => firewall.capabilities(family)));
  ran.length = 0;
  const stand = new Stand({ firewall });
  for (let number = 1; number <= 30; number++) {
    const name = `web-${number}`;
    const clusterIPs = [ip(`172.30.1.${number}`), ip(`fd00:172:30::${number}`)];
    const ports = [servicePort({ nodePort: 30_000 + number })];
    stand.report(
      setService(service({ name, type: 'NodePort', clusterIPs, ports })),
      setSlice(slice([endpoint(`10.0.0.${number}`)], { name, serviceName: name })),
    );
  }
  await stand.sync();
  expect(stand.reports.isFirstSyncDone).toBe(true);
  expect(await stand.kernel.ipvs.virtualServers()).toHaveLength(30 * 4);
  expect(ran.slice(0, 2).sort()).toEqual(['ip6tables-nft-restore', 'iptables-nft-restore']);
  // What they wrote is read back beside it.
  expect(ran.slice(2).sort()).toEqual(['ip6tables-nft-save', 'iptables-nft-save']);
  await stand.stop();
});
