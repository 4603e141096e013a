/**
 * How long the event loop is held at a start over a large node of iptables mode: the 100,000 rules of another program are read, judged
 * and removed. Natively and without a kernel: `hack/run node test/bench/leftovers.ts`. What iptables would print comes from a file
 * through `cat`, and what it would read goes to `cat` too. Time is that of the thread's CPU between two turns of the event loop, the
 * longest of each run; the first run finds a cold engine.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuleRemoval } from '../../pkg/firewall/firewall.ts';
import { findIptables, type Machine } from '../../pkg/firewall/iptables.ts';
import { runProcess } from '../../pkg/firewall/process.ts';
import { RestoreFirewall } from '../../pkg/firewall/restore.ts';
import { ProgramTables } from '../../pkg/firewall/rule-tables.ts';
import { rules } from '../../pkg/proxy/desired/chains.ts';
import { isServedByIptables, planLeftovers } from '../../pkg/proxy/leftovers/plan.ts';
import { Yielder } from '../../pkg/runner/yielder.ts';
import { inFolder, printTime } from './run.ts';
import { longestTurn } from './turns.ts';

/** Each has a chain, a rule that leads there, and two endpoints with a chain and two rules each. */
const services = 14_300;
const runs = 5;
const place = { family: 'IPv4', flavour: 'nft' } as const;

const ruleset = rules('IPv4', {
  nonEmpty: new Set(),
  masqueradeMark: 0x4000,
  masqueradeAll: false,
  localDetector: undefined,
  randomFully: true,
});

await inFolder(async (folder) => {
  const served = rulesText({ isServed: true });
  const unserved = rulesText({ isServed: false });
  const count = served.split('\n-A ').length - 1;
  console.log(`${count} rules, ${(served.length / 2 ** 20).toFixed(1)} MiB`);
  const file = join(folder, 'rules');
  writeFileSync(file, served);
  const machine = machineOf(file);
  const found = { rules: [{ ...place, text: served }], nftTables: [] };
  let removals: readonly RuleRemoval[] = [];
  await measure('a program prints them', () => runProcess('cat', [file], { timeout: 60_000 }));
  await measure('the flavour in use is looked for', () => findIptables(machine));
  await measure('whether iptables mode serves, where it does', () =>
    isServedByIptables({ text: served }),
  );
  await measure('whether iptables mode serves, where it does not', () =>
    isServedByIptables({ text: unserved }),
  );
  await measure('our own rules are written, read back and checked', async () => {
    const firewall = new RestoreFirewall({ machine });
    await firewall.apply('IPv4', ruleset);
    await firewall.check('IPv4', ruleset);
    await firewall.check('IPv4', ruleset);
  });
  await measure('the removal is planned', async () => {
    const yielder = new Yielder(() => performance.now());
    const pause = () => yielder.yieldIfDue();
    const options = { flavour: place.flavour, families: [place.family], pause };
    const plan = await planLeftovers(found, options);
    removals = plan.removals.flatMap((each) => (each.kind === 'removeRules' ? each.removals : []));
  });
  await measure('the removal is written', () =>
    new ProgramTables({ machine }).remove(place, removals),
  );
});

/** A machine whose programs print the file, and read whatever they are given. */
function machineOf(file: string): Machine {
  return {
    hasProgram: async () => true,
    legacyTables: async () => ['nat'],
    run(program, words, options) {
      if (words.includes('--version'))
        return Promise.resolve(answer('iptables v1.8.9 (nf_tables)'));
      if (program.startsWith('ip6')) return Promise.resolve(answer(''));
      if (program.endsWith('-save')) return runProcess('cat', [file], options);
      return runProcess('sh', ['-c', 'cat > /dev/null'], options);
    },
  };
}

function answer(stdout: string) {
  return { status: 0, stdout, stderr: '' };
}

/** Prints the longest turn of each run of some work. */
async function measure(name: string, work: () => unknown): Promise<void> {
  const longest: number[] = [];
  for (let run = 0; run < runs; run++) {
    const done = new Promise((resolve) => setImmediate(resolve)).then(work);
    longest.push(await longestTurn(done));
    await done;
  }
  console.log(`${name}: ${longest.map(printTime).join(', ')}`);
}

/** What `iptables-save` prints of a node of iptables mode; without the jumps into the chains of Services if nothing leads there. */
function rulesText({ isServed }: { readonly isServed: boolean }): string {
  const each = Array.from({ length: services }, (_, index) => serviceRules(index));
  return [
    '*nat',
    ...[':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ':KUBE-SERVICES - [0:0]'],
    ...each.flatMap(({ chains }) => chains.map((chain) => `:${chain} - [0:0]`)),
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    ...each.flatMap(({ own }) => own),
    ...(isServed ? each.map(({ jump }) => jump) : []),
    'COMMIT',
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':KUBE-FORWARD - [0:0]',
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    'COMMIT',
    '',
  ].join('\n');
}

/** The chains of a Service, the rules in them, and the rule that leads there. */
function serviceRules(index: number) {
  const id = String(index).padStart(16, 'X');
  const note = `-m comment --comment "shop/service-${index}:http`;
  const address = `172.${(index >> 16) & 31}.${(index >> 8) & 255}.${index & 255}`;
  const endpoints = [1, 2].map((number) => ({
    chain: `KUBE-SEP-${number}${id.slice(1)}`,
    ip: `10.${number}.${(index >> 8) & 255}.${index & 255}`,
  }));
  return {
    chains: [`KUBE-SVC-${id}`, ...endpoints.map(({ chain }) => chain)],
    own: endpoints.flatMap(({ chain, ip }) => [
      `-A ${chain} -s ${ip}/32 ${note}" -j KUBE-MARK-MASQ`,
      `-A ${chain} -p tcp ${note}" -m tcp -j DNAT --to-destination ${ip}:8080`,
      `-A KUBE-SVC-${id} ${note} -> ${ip}:8080" -m statistic --mode random --probability 0.50000000000 -j ${chain}`,
    ]),
    jump: `-A KUBE-SERVICES -d ${address}/32 -p tcp ${note} cluster IP" -m tcp --dport 80 -j KUBE-SVC-${id}`,
  };
}
