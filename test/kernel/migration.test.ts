import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Flavour } from '../../pkg/firewall/iptables.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { readState } from '../support/kernel-state.ts';
import { writeIptablesMode } from '../support/modes/iptables-mode.ts';
import { addKubeletHint } from '../support/modes/kubelet-hint.ts';
import type { ModeService } from '../support/modes/mode-service.ts';
import { writeNftablesMode } from '../support/modes/nftables-mode.ts';
import type { Namespace } from '../support/namespace.ts';
import { type Host, Network } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { Program } from '../support/program.ts';
import type { Stream } from '../support/stream.ts';
import { ShopService, serveAll, type Target } from '../support/traffic.ts';
import { expectAlive, openStreams, underLoad, type Way } from '../support/under-load.ts';

// A node that another mode of kube-proxy serves changes over to this program, and back, under clients that must not notice.

interface Mode {
  readonly mode: string;
  /** Of the node's iptables. */
  readonly flavour: Flavour;
  readonly write: (namespace: Namespace, services: readonly ModeService[]) => void;
}

const flavours = ['nft', 'legacy'] as const;
const modes: readonly Mode[] = [
  ...flavours.map((flavour) => ({
    mode: `iptables mode (${flavour})`,
    flavour,
    write: (namespace: Namespace, services: readonly ModeService[]) =>
      writeIptablesMode(namespace, services, { flavour }),
  })),
  { mode: 'nftables mode', flavour: 'nft', write: writeNftablesMode },
];

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

describe.each(modes)('a node that $mode serves', ({ flavour, write }) => {
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
  const ways: readonly Way[] = [
    [caller, web.vip],
    [node, web.vip],
    [client, balancer],
  ];
  /** Without the load balancer with source ranges: iptables mode drops in KUBE-PROXY-FIREWALL what IPVS is to get. */
  const openWays = ways.slice(0, 2);
  let servers: readonly Server[] = [];
  const streams: Stream[] = [];
  /** How many of them the other mode began before the node changed over. */
  let firstStreams = 0;
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
    addKubeletHint(node.namespace, flavour);
    write(node.namespace, services);
    streams.push(...(await openStreams(ways)));
    firstStreams = streams.length;
  });

  afterAll(async () => {
    await Promise.all(streams.map((stream) => stream.stop()));
    await proxy?.stop();
    for (const server of servers) server.close();
    network.close();
  });

  /** Chains and tables that only other modes have. */
  function leftovers(): readonly string[] {
    const saved = ['iptables', 'ip6tables'].map((program) =>
      node.namespace.run(`${program}-${flavour}-save`),
    );
    const chains = saved
      .join('\n')
      .match(/^:KUBE-(?:SVC|SEP|EXT|FW|EXTERNAL|PROXY-CANARY|NODEPORTS)\S*/gm);
    const tables = node.namespace.run('nft', 'list', 'tables').match(/^table \S+ kube-proxy$/gm);
    return [...(chains ?? []), ...(tables ?? [])];
  }

  /** The clients' ports in IPVS's table. One may be left out while others end, as the kernel counts them anew for each page. */
  function portsThroughIpvs(): readonly number[] {
    const connections = node.namespace
      .run('ipvsadm', '-Lcn')
      .matchAll(/^(?:TCP|UDP|SCTP) +\S+ +\S+ +\S+:(\d+) /gm);
    return [...connections].map(([, port]) => Number(port));
  }

  test('changes over: no connection is lost, established or new, and IPVS serves', async () => {
    await underLoad(ways, async () => {
      proxy = new NodeProxy(node.namespace);
      proxy.report(...objects(pods));
      await proxy.settled();
      await expect.poll(leftovers).toEqual([]);
    });
    await expectAlive(...streams);
    expect(portsThroughIpvs()).not.toEqual([]);
  });

  test('has then what a fresh start makes', async () => {
    const state = readState(node.namespace, { flavour });
    await proxy?.stop();
    proxy = undefined;
    const fresh = new Network();
    fresh.addClient('client', client.addresses);
    addKubeletHint(fresh.node.namespace, flavour);
    const other = new NodeProxy(fresh.node.namespace);
    try {
      other.report(...objects(pods));
      await other.settled();
      expect(state).toBe(readState(fresh.node.namespace, { flavour }));
    } finally {
      await other.stop();
      fresh.close();
    }
  });

  test('goes back when the other mode starts over it: no connection is lost, those through IPVS neither', async () => {
    streams.push(...(await openStreams(openWays)));
    await underLoad(openWays, () => write(node.namespace, services));
    const ports = { first: 10_000, last: 19_999 }; // which nobody had so far
    for (const { namespace } of [caller, node])
      namespace.run('sysctl', '-qw', `net.ipv4.ip_local_port_range=${ports.first} ${ports.last}`);
    await underLoad(openWays, () => expectAlive(...streams));
    expect(portsThroughIpvs().filter((port) => port >= ports.first && port <= ports.last)).toEqual(
      [],
    );
  });

  // Connections through IPVS end with their virtual servers; those that the other mode began do not.
  test('goes back by way of --cleanup: nothing of ours stays, and no connection of the other mode is lost', async () => {
    await Promise.all(streams.splice(firstStreams).map((stream) => stream.stop()));
    // As most networks of pods have one: without any rule that needs conntrack the kernel would translate nothing meanwhile.
    const established = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED', '-j', 'ACCEPT'];
    for (const program of [`iptables-${flavour}`, `ip6tables-${flavour}`])
      for (const chain of ['FORWARD', 'OUTPUT'])
        node.namespace.run(program, '-A', chain, ...established);
    const cleaning = await Program.start(node.namespace, { flags: ['--cleanup'] });
    expect(await cleaning.ended(), cleaning.output).toEqual({ status: 0, signal: null });
    expect(leftovers()).toEqual([]);
    expect(node.namespace.run('ipvsadm', '-Sn')).toBe('');
    expect(node.namespace.run('ip', '-o', 'link')).not.toContain('kube-ipvs0');
    expect(node.namespace.run('ipset', 'list', '-n')).toBe('');
    write(node.namespace, services);
    await underLoad(ways, () => expectAlive(...streams));
  });
});
