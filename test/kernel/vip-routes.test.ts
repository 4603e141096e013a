import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { families, type IpAddress } from '../../pkg/ip/address.ts';
import { protocols } from '../../pkg/ip/protocol.ts';
import type { Change } from '../../pkg/kube/types.ts';
import type { VipBinding } from '../../pkg/proxy/desired/vip-routes.ts';
import { ip, net } from '../support/addresses.ts';
import { Hammer } from '../support/hammer.ts';
import { ask } from '../support/network/client.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node as nodeObject } from '../support/objects.ts';
import { PacketExplainer } from '../support/packet-explainer.ts';
import { silence } from '../support/patience.ts';
import { setNode } from '../support/proxier.ts';
import { Stream } from '../support/stream.ts';
import {
  addressOf,
  askAll,
  kinds,
  nameOf,
  printAnswer,
  ShopService,
  serveAll,
  type Table,
  type Target,
  table,
  unanswered,
} from '../support/traffic.ts';
import { expectAlive } from '../support/under-load.ts';

// VIPs that are local by routes: every client, front end and policy has the answers that it has with addresses, and nobody notices
// when a node changes from one to the other.

const modes = {
  address: { mode: 'address', ranges: [], podNetworks: [] },
  single: { mode: 'route', ranges: [], podNetworks: [] },
  range: {
    mode: 'route',
    ranges: [net('172.30.0.0/16'), net('fd00:172:30::/112')],
    podNetworks: [],
  },
} as const satisfies Record<string, VipBinding>;

const network = new Network();
const { node } = network;
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const [here, there] = [1, 2].map((number) =>
  network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
) as [Host, Host];
const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
const hosts = { pod: caller, node, client };

const open = new ShopService('open', 1);
const local = new ShopService('local', 2);
const remote = new ShopService('remote', 3);
/** Nobody sends anything to it. */
const quiet = new ShopService('quiet', 4);
const external: Target = {
  addresses: { IPv4: ip('198.51.100.1'), IPv6: ip('2001:db8:198::1') },
  port: 80,
};
const balancer: Target = {
  addresses: { IPv4: ip('198.51.100.2'), IPv6: ip('2001:db8:198::2') },
  port: 80,
};
const localBalancer: Target = {
  addresses: { IPv4: ip('198.51.100.3'), IPv6: ip('2001:db8:198::3') },
  port: 80,
};

/** Services with every front end and both policies; `remote` has no endpoint on this node. */
function objects(nodeIPs: readonly IpAddress[] = Object.values(nodeAddresses)): readonly Change[] {
  return [
    setNode(nodeObject({ addresses: nodeIPs })),
    open.service({
      type: 'LoadBalancer',
      externalIPs: Object.values(external.addresses),
      loadBalancerIPs: Object.values(balancer.addresses),
    }),
    ...open.slices(here),
    local.service({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      loadBalancerIPs: Object.values(localBalancer.addresses),
    }),
    ...local.slices(here, { host: there, nodeName: 'elsewhere' }),
    remote.service({ externalTrafficPolicy: 'Local' }),
    ...remote.slices({ host: there, nodeName: 'elsewhere' }),
    quiet.service(),
  ];
}

const targets: Readonly<Record<string, Target>> = {
  'cluster IP': open.vip,
  'node port': open.nodePort,
  'external IP': external,
  'load balancer': balancer,
  'cluster IP, Local': local.vip,
  'node port, Local': local.nodePort,
  'load balancer, Local': localBalancer,
  'cluster IP, remote': remote.vip,
  'node port, remote without a local endpoint': remote.nodePort,
};

let servers: readonly Server[] = [];
const explainer = new PacketExplainer(network);
let proxy: NodeProxy | undefined;
let hammers: readonly Hammer[] = [];
/** How often clients were set to work. */
let rounds = 0;
const streams: Stream[] = [];

beforeAll(() => {
  servers = [here, there].flatMap((host) => serveAll(host));
  servers = [...servers, ...serveAll(node, 9_999)];
});

afterEach(() => Promise.all(hammers.map((hammer) => hammer.stop())));

afterAll(async () => {
  await Promise.all(streams.map((stream) => stream.stop()));
  await proxy?.stop();
  for (const server of servers) server.close();
  network.close();
});

/** Another program of the node in place of the one that runs. */
async function start(mode: keyof typeof modes, nodeIPs?: readonly IpAddress[]): Promise<NodeProxy> {
  await proxy?.stop();
  const hasLocalRoutes = modes[mode].mode === 'route';
  proxy = new NodeProxy(node.namespace, { vipBinding: modes[mode] }, { hasLocalRoutes });
  proxy.report(...objects(nodeIPs));
  await proxy.settled();
  return proxy;
}

/**
 * Those that meet, between them, each policy and each kind of VIP once more. The others are asked for new connections while the node
 * changes.
 */
const withRoutes = [
  'cluster IP',
  'cluster IP, Local',
  'external IP',
  'load balancer, Local',
  'node port, Local',
  'cluster IP, remote',
];

/**
 * Each target's answers to each client: who answered, and which address the server saw. As explained are those of one protocol, another
 * one for each client and target in turn: all of them on every path are explained in `packets-paths.test.ts`.
 */
async function answers(names = Object.keys(targets)): Promise<Readonly<Record<string, Table>>> {
  const found: Record<string, Table> = {};
  explainer.changed();
  for (const [row, [name, host]] of Object.entries(hosts).entries())
    for (const [column, target] of names.entries()) {
      const explained = kinds.filter(
        ({ protocol }) => protocol === protocols[(row + column) % protocols.length],
      );
      const to = targets[target] as Target; // they are names of these
      const isDenied = /without/.test(target) && name === 'client';
      const answered = await askAll(host, to, isDenied ? { patience: silence } : {});
      await explainer.judge(host, {
        target: to,
        answers: table((kind) => [answered[nameOf(kind)] ?? ''], explained),
      });
      found[`${name} → ${target}`] = answered;
    }
  return found;
}

/** The same answers, where the node's own clients send from its address and not from the VIP. */
function fromNode(tables: Readonly<Record<string, Table>>): Readonly<Record<string, Table>> {
  const text = JSON.stringify(tables);
  const own = Object.values(localBalancer.addresses).reduce(
    (replaced, vip) => replaced.replaceAll(` saw ${vip}"`, ` saw ${sourceOf(vip)}"`),
    text,
  );
  return JSON.parse(own) as Readonly<Record<string, Table>>;
}

function ipLines(...words: readonly string[]): readonly string[] {
  const lines = node.namespace.run('ip', ...words).split('\n');
  return lines.map((line) => line.trim().replace(/\s+/g, ' ')).filter(Boolean);
}

/** What `ip` prints of our routes, sorted. */
function ourRoutes(): readonly string[] {
  return ['-4', '-6']
    .flatMap((family) => ipLines(family, 'route', 'show', 'table', 'local', 'proto', '173'))
    .map((line) =>
      line
        .replace(/ (scope host |metric 173|pref medium)/g, ' ')
        .replace(/ (metric 173|pref medium)/g, '')
        .trim(),
    )
    .sort();
}

/** The addresses of kube-ipvs0, sorted. */
function boundAddresses(): readonly string[] {
  return ipLines('-brief', 'address', 'show', 'dev', 'kube-ipvs0')
    .flatMap((line) => line.split(' ').slice(2))
    .sort();
}

const vips = [open, local, remote, quiet]
  .flatMap(({ vip }) => Object.values(vip.addresses))
  .concat([external, balancer, localBalancer].flatMap(({ addresses }) => Object.values(addresses)));

const isIPv6 = (text: string) => text.includes(':');
const sourceOf = (address: string) => nodeAddresses[isIPv6(address) ? 'IPv6' : 'IPv4'];
const routeLine = (network: string) => `local ${network} dev lo src ${sourceOf(network)}`;
const wantedRoutes: Readonly<Record<keyof typeof modes, readonly string[]>> = {
  address: [],
  single: vips.map(routeLine).sort(),
  range: [
    ...modes.range.ranges.map(({ address, length }) => `${address}/${length}`),
    ...vips.filter((vip) => !/^(172|fd00)/.test(vip)),
  ]
    .map(routeLine)
    .sort(),
};

function expectBinding(mode: keyof typeof modes): void {
  expect(ourRoutes()).toEqual(wantedRoutes[mode]);
  const bound = vips.map((vip) => `${vip}/${isIPv6(vip) ? 128 : 32}`).sort();
  expect(boundAddresses()).toEqual(mode === 'address' ? bound : []);
}

/**
 * SCTP clients are bound to an address. Others name all addresses of their host to the server, which NAT does not know; those of the
 * node also take the one that the route to the VIP names, which is another one with a route.
 */
const ways: readonly (readonly [Host, Target])[] = [
  [caller, open.vip],
  [node, open.vip],
  [node, external],
  [client, balancer],
  [client, open.nodePort],
];

async function openStreams(): Promise<void> {
  const opened = ways.flatMap(([host, { addresses, port }]) =>
    kinds.map(({ protocol, family }) =>
      Stream.open(host, {
        protocol,
        address: addresses[family],
        port,
        ...(protocol === 'SCTP' && { source: addressOf(host, family) }),
      }),
    ),
  );
  streams.push(...(await Promise.all(opened)));
}

/** A connection that one change lost says nothing of the next one. */
async function dropFailedStreams(): Promise<void> {
  const failed = streams.filter(({ failure }) => failure !== undefined);
  for (const stream of failed) streams.splice(streams.indexOf(stream), 1);
  await Promise.all(failed.map((stream) => stream.stop()));
}

async function hammer(): Promise<void> {
  hammers = ways.map(([host, target], index) => {
    // Of ports that the kernel draws one comes twice before long, and an SCTP association of its own past is in its way. Those from
    // 32,768 on the kernel draws for the streams.
    const firstSourcePort = 10_000 + 500 * (ways.length * rounds + index);
    return new Hammer(host, { ...target, patience: 30_000, firstSourcePort });
  });
  rounds++;
  await Promise.all(hammers.map((each) => each.next(1)));
}

async function expectNoneLost(): Promise<void> {
  await Promise.all(hammers.map((each) => each.next(2)));
  await Promise.all(hammers.map((each) => each.stop()));
  expect(hammers.map((each) => each.failures())).toEqual(hammers.map(() => table(() => [])));
  await expectAlive(...streams);
}

describe('a node', () => {
  let withAddresses: Readonly<Record<string, Table>> = {};

  test('with addresses answers', async () => {
    await start('address');
    expectBinding('address');
    withAddresses = await answers();
    expect(withAddresses['pod → cluster IP']).toEqual(
      table(({ family }) => `${here.name} saw ${caller.addresses[families.indexOf(family)]}`),
    );
    expect(withAddresses['client → node port, remote without a local endpoint']).toEqual(
      unanswered,
    );
  });

  test.each(['range', 'address', 'single', 'range', 'single', 'address'] as const)(
    'changes to %s: no connection is lost, established or new',
    async (mode) => {
      await dropFailedStreams();
      if (streams.length < 2 * ways.length * kinds.length) await openStreams();
      await hammer();
      await start(mode);
      expectBinding(mode);
      await expectNoneLost();
    },
  );

  test.each(['single', 'range'] as const)(
    'with %s answers every client as with addresses',
    async (mode) => {
      await start(mode);
      expectBinding(mode);
      const found = await answers(withRoutes);
      const same = Object.keys(found).map((name) => [name, withAddresses[name]]);
      expect(found).toEqual(fromNode(Object.fromEntries(same) as typeof withAddresses));
    },
  );

  test('the own clients of a node send from its address', () => {
    for (const family of families) {
      const [line = ''] = ipLines('route', 'get', open.vip.addresses[family]);
      expect(line).toContain(`src ${nodeAddresses[family]}`);
    }
  });

  test.each([
    ['a VIP', open.vip.addresses],
    [
      'an address of the range that is no VIP',
      { IPv4: ip('172.30.77.77'), IPv6: ip('fd00:172:30::7777') },
    ],
  ])('nobody reaches a process of the node through %s', async (_, addresses) => {
    for (const host of Object.values(hosts)) {
      const answered = await Promise.all(
        kinds.map(({ protocol, family }) =>
          ask(host, { protocol, address: addresses[family], port: 9_999, patience: silence }),
        ),
      );
      let at = 0;
      expect(table(() => printAnswer(answered[at++]))).toEqual(unanswered);
    }
  });

  test('the node answers ARP for no address of the range', async () => {
    client.namespace.run('ip', 'route', 'add', '172.30.0.0/16', 'dev', 'eth0');
    const heard = async (address: string) => {
      await ask(client, { protocol: 'UDP', address: ip(address), port: 9, patience: silence });
      return client.namespace.run('ip', 'neighbour', 'show', 'to', address).includes('lladdr');
    };
    expect(await heard(quiet.vip.addresses.IPv4)).toBe(false);
    expect(await heard('172.30.99.99')).toBe(false);
    node.namespace.run('sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=0');
    expect(await heard('172.30.99.98')).toBe(true);
    node.namespace.run('sysctl', '-qw', 'net.ipv4.conf.all.arp_ignore=1');
    client.namespace.run('ip', 'route', 'delete', '172.30.0.0/16', 'dev', 'eth0');
  });

  test('routes follow when the address of the node changes', async () => {
    const next = { IPv4: ip('192.168.0.20'), IPv6: ip('fd00:192:168::20') };
    for (const address of Object.values(next)) {
      const bits = isIPv6(address) ? ['128', 'nodad'] : ['32'];
      const [length = '', ...flags] = bits;
      ipLines('address', 'add', `${address}/${length}`, 'dev', 'eth0', ...flags);
    }
    proxy?.report(setNode(nodeObject({ addresses: Object.values(next) })));
    for (const family of families)
      await expect
        .poll(() => ipLines('route', 'get', open.vip.addresses[family])[0])
        .toContain(`src ${next[family]}`);
    expect(ourRoutes().every((line) => /src (192.168.0.20|fd00:192:168::20)$/.test(line))).toBe(
      true,
    );
    const answered = await Promise.all(
      kinds.map(({ protocol, family }) =>
        ask(node, { protocol, address: open.vip.addresses[family], port: 80 }),
      ),
    );
    expect(answered.map(({ kind }) => kind)).toEqual(kinds.map(() => 'answer'));
  });
});
