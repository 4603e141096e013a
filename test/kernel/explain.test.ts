import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openReader } from '../../cmd/kube-proxy/open-reader.ts';
import { ask as askWhy } from '../../pkg/explain/ask.ts';
import { parseFrom, parseTo } from '../../pkg/explain/question.ts';
import type { Report } from '../../pkg/explain/report.ts';
import { type Family, families, printHostPort } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { ask } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { silence } from '../support/patience.ts';
import { bundled } from '../support/program.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { addressOf, ShopService, serveAll, type Target } from '../support/traffic.ts';

// `kube-proxy explain` on a real node: what it says of a packet is what becomes of one, and its status says so too.

const network = new Network();
const { namespace } = network.node;
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const web1 = network.addPod('web1', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const web2 = network.addPod('web2', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const shop = new ShopService('web', 1);
const empty = new ShopService('empty', 2);
const senders = {
  pod: { host: caller, from: (family: Family) => addressOf(caller, family) },
  outside: { host: client, from: (family: Family) => `outside=${addressOf(client, family)}` },
  node: { host: network.node, from: () => 'node' },
};
let servers: readonly Server[] = [];
let proxy: NodeProxy;
/** What takes away again what a test did to the node. */
const undo: (() => void)[] = [];

beforeAll(async () => {
  servers = [web1, web2].flatMap((host) => serveAll(host));
  proxy = new NodeProxy(namespace);
  proxy.report(shop.service(), ...shop.slices(web1, web2), empty.service());
  await proxy.settled();
});

afterEach(() => {
  for (const step of undo.splice(0)) step();
});

afterAll(async () => {
  await proxy.stop();
  for (const server of servers) server.close();
  network.close();
});

/** Adds a rule of somebody else, for the length of a test. */
function rule(program: 'iptables' | 'ip6tables', chain: string, ...words: readonly string[]): void {
  namespace.run(program, '-I', chain, ...words);
  undo.push(() => void namespace.run(program, '-D', chain, ...words));
}

const toOf = ({ addresses, port }: Target, family: Family) =>
  `${printHostPort(addresses[family], port)}/TCP`;

async function explained(from: string, to: string): Promise<Report> {
  const parsedFrom = parseFrom(from);
  const parsedTo = parseTo(to);
  if ('problem' in parsedFrom || 'problem' in parsedTo) throw new Error(`${from} ${to}`);
  const reader = openReader();
  try {
    return await askWhy(
      { from: parsedFrom.value, to: parsedTo.value },
      {
        sources: reader.sources,
        names: undefined,
        settings: { ...proxierSettings, serviceOptionsOf: undefined },
        now: () => performance.now(),
      },
    );
  } finally {
    reader.close();
  }
}

/** How many of several connections are answered: all, some or none. */
async function observed(host: Host, { addresses, port }: Target, family: Family): Promise<string> {
  const answers = await Promise.all(
    Array.from({ length: 6 }, () =>
      ask(host, { protocol: 'TCP', address: addresses[family], port, patience: silence }),
    ),
  );
  const count = answers.filter(({ kind }) => kind === 'answer').length;
  if (count === answers.length) return 'yes';
  return count === 0 ? 'no' : 'in part';
}

const targets: Readonly<Record<string, Target>> = {
  'the cluster IP': shop.vip,
  'the node port': shop.nodePort,
  'a Service without endpoints': empty.vip,
};
const paths = Object.keys(senders).flatMap((sender) =>
  Object.keys(targets).flatMap((target) => families.map((family) => ({ sender, target, family }))),
);

describe('what it says is what becomes of packets', () => {
  test.each(paths)('from $sender to $target over $family', async ({ sender, target, family }) => {
    const { host, from } = senders[sender as keyof typeof senders];
    const to = targets[target] as Target;
    const { answer, verdict } = await explained(from(family), toOf(to, family));
    expect(answer, verdict).toBe(await observed(host, to, family));
  });

  test('a rule of somebody else that rejects is named', async () => {
    rule('iptables', 'INPUT', '-p', 'tcp', '--dport', '80', '-j', 'REJECT');
    const { answer, verdict } = await explained('outside=203.0.113.7', toOf(shop.vip, 'IPv4'));
    expect([answer, await observed(client, shop.vip, 'IPv4')]).toEqual(['no', 'no']);
    expect(verdict).toContain('REJECT');
  });

  test('one of two pods that cannot be reached is named', async () => {
    rule('iptables', 'OUTPUT', '-d', '10.0.1.2/32', '-j', 'DROP');
    const { answer, verdict } = await explained('outside=203.0.113.7', toOf(shop.vip, 'IPv4'));
    expect([answer, await observed(client, shop.vip, 'IPv4')]).toEqual(['in part', 'in part']);
    expect(verdict).toContain('10.0.1.2');
  });

  test('a rule that it does not understand is named, and nothing is guessed', async () => {
    rule('iptables', 'INPUT', '-m', 'length', '--length', '1400:1500', '-j', 'DROP');
    const { answer, verdict } = await explained('outside=203.0.113.7', toOf(shop.vip, 'IPv4'));
    expect(answer).toBe('unknown');
    expect(verdict).toContain('length');
  });
});

describe('the command', () => {
  /** What the command prints, and its status at the end. */
  async function command(...argv: readonly string[]): Promise<string> {
    const words = [process.execPath, await bundled(), 'explain', ...argv];
    return namespace.run('sh', '-c', '"$@" 2>&1; echo "status $?"', 'sh', ...words);
  }

  test('says yes with status 0', async () => {
    const said = await command('outside=203.0.113.7', toOf(shop.vip, 'IPv4'));
    expect(said).toMatch(/Yes: TCP from 203[.]0[.]113[.]7 to .*\nstatus 0\n$/);
  });

  test('says no with status 2', async () => {
    const said = await command('outside=203.0.113.7', toOf(empty.vip, 'IPv4'));
    expect(said).toMatch(/No: .*\nstatus 2\n$/);
  });

  test('says in part with status 2, and the same as JSON', async () => {
    rule('iptables', 'OUTPUT', '-d', '10.0.1.2/32', '-j', 'DROP');
    const argv = ['outside=203.0.113.7', toOf(shop.vip, 'IPv4')];
    expect(await command(...argv)).toMatch(/In part: .*\nstatus 2\n$/);
    const [json = '', status] = (await command(...argv, '-o', 'json')).split('status ');
    expect(JSON.parse(json)).toMatchObject({ version: 1, answer: 'in part' });
    expect(status).toBe('2\n');
  });

  test('says that it is not known with status 3', async () => {
    rule('iptables', 'INPUT', '-m', 'length', '--length', '1400:1500', '-j', 'DROP');
    const said = await command('outside=203.0.113.7', toOf(shop.vip, 'IPv4'));
    expect(said).toMatch(/Not known: .*\nstatus 3\n$/);
  });
});
