import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openReader } from '../../cmd/kube-proxy/open-reader.ts';
import { ask as askWhy } from '../../pkg/explain/ask.ts';
import { ListedObjects } from '../../pkg/explain/listed-objects.ts';
import { parseFrom, parseTo, type Question } from '../../pkg/explain/question.ts';
import type { Report } from '../../pkg/explain/report.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { ask, type Request } from '../support/network/client.ts';
import { type Host, Network, nodeAddresses } from '../support/network/network.ts';
import type { Server } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { node as nodeObject } from '../support/objects.ts';
import { silence } from '../support/patience.ts';
import { setNode } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { ShopService, serveAll } from '../support/traffic.ts';

// Nodes that somebody broke by hand, each in one way: `explain` names the cause, and says of a packet what becomes of one. The proxy
// has ended when they are broken, so that it mends nothing meanwhile; the next one does.

const network = new Network();
const { node } = network;
const run = (line: string) => node.namespace.run('sh', '-c', line);
network.addBridge('cni0', [
  { address: ip('10.0.1.254'), length: 24 },
  { address: ip('fd00:10:0:1::fe'), length: 64 },
]);
const pod = (number: number) => [ip(`10.0.1.${number}`), ip(`fd00:10:0:1::${number}`)];
const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
const webs = [1, 2].map((number) => network.addBridgedPod(`web${number}`, pod(number), 'cni0'));
const caller = network.addBridgedPod('caller', pod(11), 'cni0');
/** A pod of another node. */
const distant = network.addClient('distant', [ip('10.0.2.1'), ip('fd00:10:0:2::1')]);

const shop = new ShopService('web', 1);
const unready = new ShopService('unready', 2);
const far = new ShopService('far', 3);
const ranged = new ShopService('ranged', 4);
const balancer = ip('198.51.100.4');
const objects: readonly Change[] = [
  setNode(nodeObject({ addresses: Object.values(nodeAddresses) })),
  shop.service(),
  ...shop.slices(...webs),
  unready.service(),
  ...unready.slices(...webs.map((host) => ({ host, ready: false, serving: false }))),
  far.service({ externalTrafficPolicy: 'Local' }),
  ...far.slices({ host: distant, nodeName: 'elsewhere' }),
  ranged.service({
    type: 'LoadBalancer',
    loadBalancerIPs: [balancer],
    sourceRanges: [net('192.0.2.0/24')],
  }),
  ...ranged.slices(...webs),
];

let servers: readonly Server[] = [];
/** What takes away again what a test did to the node. */
const undo: string[] = [];

beforeAll(() => {
  run('modprobe br_netfilter');
  run('sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.all.rp_filter=0');
  servers = webs.flatMap((host) => serveAll(host));
});

beforeEach(async () => {
  const proxy = new NodeProxy(node.namespace);
  proxy.report(...objects);
  try {
    await proxy.settled();
  } finally {
    await proxy.stop();
  }
});

afterEach(() => {
  for (const line of undo.splice(0)) run(line);
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

/** The objects of a kind, as the API has them. */
function objectsOf<Kind extends Change['kind']>(kind: Kind) {
  return objects.flatMap((change) =>
    change.type === 'set' && change.kind === kind
      ? [change.object as Extract<Change, { type: 'set'; kind: Kind }>['object']]
      : [],
  );
}

/** /sys is of the namespace that it was mounted in: `ip netns exec` mounts one of its own. */
const sysfs = {
  read(path: string): string | undefined {
    const text = run(`ip netns exec ${node.namespace.name} cat /sys/${path} || true`).trim();
    return text === '' ? undefined : text;
  },
};

async function explained(from: string, to: string, over: Partial<Question> = {}): Promise<Report> {
  const parsedFrom = parseFrom(from);
  const parsedTo = parseTo(to);
  if ('problem' in parsedFrom || 'problem' in parsedTo) throw new Error(`${from} ${to}`);
  const leave = node.namespace.enter();
  const { sources, close } = openReader();
  const objects = new ListedObjects({
    services: objectsOf('Service'),
    slices: objectsOf('EndpointSlice'),
    node: objectsOf('Node')[0],
  });
  try {
    return await askWhy(
      { from: parsedFrom.value, to: parsedTo.value, ...over },
      {
        sources: { ...sources, sysfs },
        names: {
          description: 'the test',
          pod: async () => undefined,
          objects: async () => objects,
          ledger: (of) => objects.ledger(of),
        },
        settings: { ...proxierSettings, serviceOptionsOf: undefined },
        now: () => performance.now(),
      },
    );
  } finally {
    close();
    leave();
  }
}

interface Broken {
  readonly name: string;
  /** What is done to the node, and what takes it back where the next proxy does not. */
  readonly breaks?: readonly string[];
  readonly undo?: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly device?: string;
  readonly request: Partial<Request> & Pick<Request, 'address' | 'port'> & { readonly host: Host };
  readonly says: readonly string[];
}

const vip = shop.vip.addresses.IPv4;
const toVip = `${vip}:80/TCP`;
const outside = { from: 'outside=203.0.113.7', to: toVip };
const fromClient = { host: client, address: vip, port: 80 };
const fromCaller = { host: caller, address: vip, port: 80 };

const brokenNodes: readonly Broken[] = [
  {
    name: 'a flushed chain',
    breaks: ['iptables -t nat -F KUBE-SERVICES'],
    ...outside,
    request: fromClient,
    says: ['rule -A KUBE-SERVICES', 'is missing'],
  },
  {
    name: 'a missing set entry',
    breaks: [`ipset del KUBE-CLUSTER-IP ${vip},tcp:80`],
    ...outside,
    request: fromClient,
    says: [`set entry ${vip},tcp:80 of KUBE-CLUSTER-IP is missing`],
  },
  {
    name: 'a foreign REJECT',
    breaks: ['iptables -I INPUT -s 203.0.113.0/24 -p tcp -j REJECT'],
    undo: ['iptables -D INPUT -s 203.0.113.0/24 -p tcp -j REJECT'],
    ...outside,
    request: fromClient,
    says: ["a rule that is not kube-proxy's ends it (INPUT (filter)"],
  },
  {
    name: 'a VIP on another device',
    breaks: [
      'ip link add eth9 type dummy',
      'ip link set eth9 up',
      `ip address del ${vip}/32 dev kube-ipvs0`,
      `ip address add ${vip}/32 dev eth9`,
    ],
    undo: ['ip link del eth9'],
    from: '10.0.1.11',
    to: toVip,
    request: fromCaller,
    says: [`${vip} is on eth9, and should be on kube-ipvs0 alone`],
  },
  {
    name: 'a drained-out Service',
    breaks: webs.map((_, index) => `ipvsadm -e -t ${vip}:80 -r 10.0.1.${index + 1}:8080 -m -w 0`),
    from: '10.0.1.11',
    to: toVip,
    request: fromCaller,
    says: [`all 2 real servers of ${vip}:80/TCP have weight 0`],
  },
  {
    name: 'no endpoint that is ready',
    from: '10.0.1.11',
    to: `${unready.vip.addresses.IPv4}:80/TCP`,
    request: { ...fromCaller, address: unready.vip.addresses.IPv4 },
    says: ['Service shop/unready has 2 IPv4 endpoints and none is ready'],
  },
  {
    name: 'the policy Local without an endpoint here',
    from: 'outside=203.0.113.7',
    to: `${nodeAddresses.IPv4}:${far.nodePort.port}/TCP`,
    request: { host: client, address: nodeAddresses.IPv4, port: far.nodePort.port },
    says: ['externalTrafficPolicy is Local and no endpoint is on this node'],
  },
  {
    name: 'source ranges that exclude the client',
    from: 'outside=203.0.113.7',
    to: `${balancer}:80/TCP`,
    request: { host: client, address: balancer, port: 80 },
    says: ['the source ranges of the load balancer leave 203.0.113.7 out'],
  },
  {
    name: 'rp_filter',
    breaks: [
      'ip route add 198.18.0.0/16 dev eth0',
      'sysctl -qw net.ipv4.conf.cni0.rp_filter=1',
      `ip netns exec ${caller.namespace.name} ip address add 198.18.0.9/32 dev eth0`,
    ],
    undo: [
      'ip route del 198.18.0.0/16 dev eth0',
      'sysctl -qw net.ipv4.conf.cni0.rp_filter=0',
      `ip netns exec ${caller.namespace.name} ip address del 198.18.0.9/32 dev eth0`,
    ],
    from: '198.18.0.9',
    to: toVip,
    device: 'cni0',
    request: { ...fromCaller, source: ip('198.18.0.9') },
    says: ['rp_filter of cni0 is strict, and the route back to 198.18.0.9 is by eth0'],
  },
  {
    name: 'a stale entry of conntrack',
    breaks: [
      `conntrack -I -p udp -s 10.0.1.11 -d ${vip} --sport 5353 --dport 80 --reply-src 10.0.1.77 --reply-dst 10.0.1.11 --reply-port-src 8080 --reply-port-dst 5353 -t 120`,
    ],
    undo: ['conntrack -D -p udp --orig-port-src 5353'],
    from: '10.0.1.11',
    to: `${vip}:80/UDP`,
    request: { ...fromCaller, protocol: 'UDP', sourcePort: 5353 },
    says: ['conntrack has a stale entry for 10.0.1.11:5353: 10.0.1.77:8080 is no real server'],
  },
  {
    name: 'br_netfilter off, for pods of one bridge',
    breaks: ['sysctl -qw net.bridge.bridge-nf-call-iptables=0'],
    undo: ['sysctl -qw net.bridge.bridge-nf-call-iptables=1'],
    from: '10.0.1.11',
    to: toVip,
    request: fromCaller,
    says: ['br_netfilter shows no packets of the bridge cni0'],
  },
  {
    name: 'a second proxy that takes virtual servers away',
    breaks: [`ipvsadm -D -t ${vip}:80`],
    ...outside,
    request: fromClient,
    says: [`virtual server ${vip}:80/TCP of Service shop/web is missing`],
  },
];

/** By the answer of `explain`: whether a client is answered. */
const possible = { yes: [true], no: [false], 'in part': [true, false], unknown: [] };

test('a node that nobody broke', async () => {
  const { answer, causes, verdict } = await explained(outside.from, toVip);
  expect([answer, causes], verdict).toEqual(['yes', []]);
  expect(await ask(client, { protocol: 'TCP', ...fromClient })).toMatchObject({ kind: 'answer' });
});

test.each(brokenNodes)('$name', async ({ breaks = [], undo: back = [], from, to, ...row }) => {
  undo.push(...back);
  for (const line of breaks) run(line);
  const { host, ...request } = row.request;
  const { answer, verdict } = await explained(from, to, { device: row.device });
  for (const text of row.says) expect(verdict).toContain(text);
  const observed = await ask(host, { protocol: 'TCP', patience: silence, ...request });
  expect(possible[answer], `${observed.kind}: ${verdict}`).toContain(observed.kind === 'answer');
});
