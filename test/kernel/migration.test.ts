import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Change } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { Hammer } from '../support/hammer.ts';
import { readState } from '../support/kernel-state.ts';
import { writeIptablesMode } from '../support/modes/iptables-mode.ts';
import type { ModeService } from '../support/modes/mode-service.ts';
import { writeNftablesMode } from '../support/modes/nftables-mode.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { Stream } from '../support/stream.ts';
import { kinds, ShopService, serveAll, type Target, table } from '../support/traffic.ts';

// A node that another mode of kube-proxy serves changes over to this program, and back, under clients that must not notice.

const modes = [
  { mode: 'iptables', write: writeIptablesMode },
  { mode: 'nftables', write: writeNftablesMode },
] as const;

const web = new ShopService('web', 1);
const sticky = new ShopService('sticky', 2);
const balancer: Target = {
  addresses: { IPv4: ip('198.51.100.2'), IPv6: ip('2001:db8:198::2') },
  port: 80,
};
const clientNetworks = { IPv4: net('203.0.113.0/24'), IPv6: net('2001:db8:203:113::/64') };

/** The Services as the API server has them. */
function objects(pods: readonly Host[]): readonly Change[] {
  return [
    web.service(),
    ...web.slices(...pods),
    sticky.service({
      type: 'LoadBalancer',
      affinitySeconds: 10_800,
      loadBalancerIPs: Object.values(balancer.addresses),
      sourceRanges: Object.values(clientNetworks),
    }),
    ...sticky.slices(...pods),
  ];
}

describe.each(modes)('a node that $mode mode serves', ({ write }) => {
  const network = new Network();
  const node = network.node;
  const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
  const pods = [1, 2].map((number) =>
    network.addPod(`web${number}`, [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)]),
  );
  const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
  const services: readonly ModeService[] = [
    { shop: web, endpoints: pods },
    {
      shop: sticky,
      endpoints: pods,
      affinitySeconds: 10_800,
      loadBalancer: balancer.addresses,
      sourceRanges: clientNetworks,
    },
  ];
  /** Each way to a Service: from a pod, from the node, and from outside. */
  const ways: readonly (readonly [Host, Target])[] = [
    [caller, web.vip],
    [node, web.vip],
    [client, balancer],
  ];
  /** Without the load balancer with source ranges: iptables mode drops in KUBE-PROXY-FIREWALL what IPVS is to get. */
  const openWays = ways.slice(0, 2);
  let servers: readonly Server[] = [];
  let hammers: readonly Hammer[] = [];
  const streams: Stream[] = [];
  let proxy: NodeProxy | undefined;

  beforeAll(async () => {
    servers = pods.flatMap((host) => serveAll(host));
    // A process of the node needs a route to a service address, which is nobody's until it is bound.
    for (const line of [
      'link add lost type dummy',
      'link set lost up',
      'route add default dev lost',
    ])
      node.namespace.run('ip', ...line.split(' '));
    node.namespace.run('ip', '-6', 'route', 'add', 'default', 'dev', 'lost');
    write(node.namespace, services);
    streams.push(...(await openStreams(ways)));
  });

  afterEach(() => Promise.all(hammers.map((hammer) => hammer.stop())));

  afterAll(async () => {
    await Promise.all(streams.map((stream) => stream.stop()));
    await proxy?.stop();
    for (const server of servers) server.close();
    network.close();
  });

  /** A connection of each protocol and family each way. */
  function openStreams(from: typeof ways): Promise<readonly Stream[]> {
    return Promise.all(
      from.flatMap(([host, { addresses, port }]) =>
        kinds.map(({ protocol, family }) =>
          Stream.open(host, { protocol, address: addresses[family], port }),
        ),
      ),
    );
  }

  /** New connections without pause from now on, until the test ends. */
  async function hammer(from: typeof ways): Promise<void> {
    hammers = from.map(([host, target]) => new Hammer(host, { ...target, patience: 30_000 }));
    await Promise.all(hammers.map((each) => each.next(1)));
  }

  /** Expects that new connections are served now, that none was lost since {@link hammer}, and that all streams go on. */
  async function expectNoneLost(): Promise<void> {
    await Promise.all(hammers.map((each) => each.next(1)));
    await Promise.all(hammers.map((each) => each.stop()));
    expect(hammers.map((each) => each.failures())).toEqual(hammers.map(() => table(() => [])));
    expect(await Promise.all(streams.map((stream) => stream.next(2)))).toEqual(
      streams.map(() => undefined),
    );
  }

  /** Chains and tables that only other modes have. */
  function leftovers(): readonly string[] {
    const saved = ['iptables-save', 'ip6tables-save'].map((program) => node.namespace.run(program));
    const chains = saved
      .join('\n')
      .match(/^:KUBE-(?:SVC|SEP|EXT|FW|EXTERNAL|PROXY-CANARY|NODEPORTS)\S*/gm);
    const tables = node.namespace.run('nft', 'list', 'tables').match(/^table \S+ kube-proxy$/gm);
    return [...(chains ?? []), ...(tables ?? [])];
  }

  /** The connections in IPVS's table: protocol, client, virtual and real server. (Its counters are some seconds late.) */
  function connectionsThroughIpvs(): readonly string[] {
    const lines = node.namespace.run('ipvsadm', '-Lcn').split('\n');
    const connections = lines.filter((line) => /^(TCP|UDP|SCTP) /.test(line));
    return connections.map((line) => {
      const [protocol, , , ...ends] = line.split(/\s+/);
      return [protocol, ...ends].join(' ');
    });
  }

  test('changes over: no connection is lost, established or new, and IPVS serves', async () => {
    await hammer(ways);
    proxy = new NodeProxy(node.namespace);
    proxy.report(...objects(pods));
    await proxy.settled();
    await expect.poll(leftovers).toEqual([]);
    await expectNoneLost();
    expect(connectionsThroughIpvs()).not.toEqual([]);
  });

  test('has then what a fresh start makes', async () => {
    const state = readState(node.namespace);
    await proxy?.stop();
    proxy = undefined;
    const fresh = new Network();
    fresh.addClient('client', client.addresses);
    const other = new NodeProxy(fresh.node.namespace);
    try {
      other.report(...objects(pods));
      await other.settled();
      expect(state).toBe(readState(fresh.node.namespace));
    } finally {
      await other.stop();
      fresh.close();
    }
  });

  test('goes back when the other mode starts over it: no connection is lost, those through IPVS neither', async () => {
    streams.push(...(await openStreams(openWays)));
    await hammer(openWays);
    write(node.namespace, services);
    await expectNoneLost();
    const before = new Set(connectionsThroughIpvs());
    await hammer(openWays);
    await expectNoneLost();
    expect(connectionsThroughIpvs().filter((connection) => !before.has(connection))).toEqual([]);
  });
});
