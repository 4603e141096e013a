import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { type AskedOptions, ExplainedNode } from '../../test/support/explained-node.ts';
import { elsewhere, here, web } from '../../test/support/explained-web.ts';
import { node, service, servicePort, slice } from '../../test/support/objects.ts';
import { printReport } from './print.ts';

// What `docs/troubleshoot.md` quotes of explain: each quotation is in what the command prints on a node with that fault.

const clusterIP = ip('172.30.0.1');
const virtualServer = { address: clusterIP, protocol: 'TCP', port: 80 } as const;
const toService = 'svc/shop/web:http';
const toClusterIP = '172.30.0.1:80';
const toBalancer = '198.51.100.1:80';
const outside = 'outside=203.0.113.9';
const pod = '10.0.1.9';
const unknown = { hasNames: false };

type Asked = [from: string, to: string, options?: AskedOptions];

/** What the command prints, on standard output or on standard error. */
async function said(broken: ExplainedNode, [from, to, options]: Asked): Promise<string> {
  try {
    return printReport(await broken.ask(from, to, options), { isColoured: false });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A node that is made by `build`, then broken by `fault`, and asked. */
function on(
  build: () => Promise<ExplainedNode>,
  asked: Asked,
  fault: (broken: ExplainedNode) => unknown = () => undefined,
): () => Promise<string> {
  return async () => {
    const broken = await build();
    await fault(broken);
    return said(broken, asked);
  };
}

const rule =
  (table: 'nat' | 'filter', text: string) =>
  ({ kernel }: ExplainedNode) =>
    kernel.firewall.insertRule('IPv4', { table, rule: text });
const setting =
  (path: string, value: string) =>
  ({ settings }: ExplainedNode) =>
    settings.set(path, value);
const noAddress = ({ kernel }: ExplainedNode) =>
  kernel.links.removeAddress({ link: 'kube-ipvs0', address: clusterIP });

async function drain({ kernel: { ipvs } }: ExplainedNode, count = 2): Promise<void> {
  for (const realServer of (await ipvs.realServers(virtualServer)).slice(0, count))
    ipvs.write([
      { kind: 'updateRealServer', virtualServer, realServer: { ...realServer, weight: 0 } },
    ]);
}

function noEntry({ kernel: { ipsets } }: ExplainedNode): void {
  const entry = { type: 'hash:ip,port', ip: clusterIP, protocol: 'TCP', port: 80 } as const;
  ipsets.write([{ kind: 'deleteEntry', set: 'KUBE-CLUSTER-IP', entry }]);
}

const unready = { ready: false, serving: false };
const noneReady = () => web({ endpoints: [{ ...here, ...unready }] });
const localOnly = () => web({ externalTrafficPolicy: 'Local', endpoints: [elsewhere] });
const dns = () => {
  const ports = [{ name: 'dns', protocol: 'UDP', port: 53 }] as const;
  const spec = [servicePort({ name: 'dns', protocol: 'UDP', port: 53 })];
  const services = [service({ ports: spec })];
  return ExplainedNode.with({ services, slices: [slice([here], { ports })], node: node() });
};

/** Two Services with one external IP: the older one has it. */
const contested = () => {
  const externalIPs = [ip('198.51.100.7')];
  const ports = [{ name: '', protocol: 'TCP', port: 8080 }] as const;
  const both = [
    service({ name: 'first', created: 1, clusterIPs: [ip('172.30.0.2')], externalIPs }),
    service({ name: 'second', created: 2, clusterIPs: [ip('172.30.0.3')], externalIPs }),
  ];
  const slices = [slice([here], { name: 'first-1', serviceName: 'first', ports })];
  return ExplainedNode.with({ services: both, slices, node: node() });
};

/** By the quotation: what the command prints. */
const scenarios: Readonly<Record<string, () => Promise<string>>> = {
  'have weight 0: they drain and take no new connections': on(web, [pod, toClusterIP], drain),
  ': weight 0': on(web, [pod, toClusterIP], (broken) => drain(broken, 1)),
  'and none is ready': on(noneReady, [pod, toService]),
  'has no real server: no endpoint is ready, or none that its policy allows': on(noneReady, [
    ...([pod, toClusterIP] as const),
    unknown,
  ]),
  "a rule that is not kube-proxy's ends it": on(
    web,
    [outside, toClusterIP],
    rule('filter', '-A INPUT -s 203.0.113.0/24 -j DROP'),
  ),
  'and the policy of': on(web, [outside, toClusterIP], ({ otherRules }) => {
    const text =
      '*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n';
    otherRules.push({ family: 'IPv4', flavour: 'legacy', text });
  }),
  'externalTrafficPolicy is Local and no endpoint is on this node': on(localOnly, [
    outside,
    toBalancer,
  ]),
  'is Local, and none of its': on(
    () => web({ internalTrafficPolicy: 'Local', endpoints: [elsewhere] }),
    [pod, toService],
  ),
  'the source ranges of the load balancer leave': on(
    () => web({ sourceRanges: [net('192.0.2.0/24')] }),
    [outside, toBalancer],
  ),
  'the kernel drops the packet before any rule': on(web, [
    outside,
    toClusterIP,
    { device: 'eth1' },
  ]),
  'there is no route back to': on(web, ['198.18.0.1', toClusterIP, { device: 'eth1' }]),
  'is on no device of this node': on(web, [pod, toClusterIP], noAddress),
  'alone: the device may answer for it to its neighbours': on(web, [pod, toClusterIP], (broken) => {
    noAddress(broken);
    broken.kernel.links.addAddress({ link: 'eth1', address: clusterIP, prefixLength: 24 });
  }),
  'br_netfilter shows no packets of the bridge': on(
    web,
    [pod, toService],
    setting('net/bridge/bridge-nf-call-iptables', '0'),
  ),
  'has a stale entry for': on(dns, [pod, '172.30.0.1:53/udp'], ({ kernel }) => {
    const original = { source: ip(pod), destination: clusterIP };
    kernel.conntrack.insert({
      protocol: 'UDP',
      original: { ...original, sourcePort: 5353, destinationPort: 53 },
      reply: {
        source: ip('10.0.1.77'),
        destination: ip(pod),
        sourcePort: 53,
        destinationPort: 5353,
      },
      zone: 0,
      mark: 0,
      status: 0,
      tcpState: undefined,
    });
  }),
  'is the client itself and is not masqueraded': on(
    web,
    ['10.0.1.4', toService],
    ({ kernel: { ipsets } }) => {
      const both = { ip: ip('10.0.1.4'), ip2: ip('10.0.1.4') };
      const entry = { type: 'hash:ip,port,ip', ...both, protocol: 'TCP', port: 8080 } as const;
      ipsets.write([{ kind: 'deleteEntry', set: 'KUBE-LOOP-BACK', entry }]);
    },
  ),
  'IPVS persistence: new connections to': on(
    () => web({ affinitySeconds: 600 }),
    [pod, toService],
    ({ kernel }) =>
      kernel.connections.insert({
        protocol: 'TCP',
        client: ip(pod),
        clientPort: 0,
        address: clusterIP,
        port: 80,
        realAddress: ip('10.0.2.4'),
        realPort: 8080,
        state: 'NONE',
      }),
  ),
  'so that nothing is masqueraded by it': on(web, [outside, toClusterIP, unknown], ({ kernel }) =>
    kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' }),
  ),
  'so that its rules do not masquerade for it': on(
    web,
    [outside, toClusterIP, unknown],
    (broken) => {
      noEntry(broken);
      broken.kernel.firewall.flushChain('IPv4', { table: 'filter', name: 'KUBE-IPVS-FILTER' });
    },
  ),
  'so that nothing is masqueraded that IPVS balances': on(
    web,
    [outside, toClusterIP],
    setting('net/ipv4/vs/conntrack', '0'),
  ),
  'so that no answer comes back through it': on(
    web,
    [pod, toClusterIP],
    setting('net/ipv4/ip_forward', '0'),
  ),
  'only if the network leads them back through this node': on(web, ['10.0.2.9', toClusterIP]),
  'a kube-proxy in iptables mode': on(web, [pod, toClusterIP], (broken) => {
    for (const text of [
      '-A KUBE-SEP-AAAA -p tcp -m tcp -j DNAT --to-destination 10.0.2.4:8080',
      '-A KUBE-SVC-AAAA -j KUBE-SEP-AAAA',
      '-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAA',
    ])
      rule('nat', text)(broken);
  }),
  'a kube-proxy in nftables mode': on(web, [pod, toClusterIP], ({ kernel }) =>
    kernel.nftTables.addTable({ family: 'IPv4', name: 'kube-proxy' }),
  ),
  'two proxies write': on(web, [pod, toClusterIP], ({ kernel, otherRules }) =>
    otherRules.push({ family: 'IPv4', flavour: 'legacy', text: kernel.firewall.dump('IPv4') }),
  ),
  'which Service shop/web should have': on(web, [pod, toClusterIP], ({ kernel }) =>
    kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }]),
  ),
  'no virtual server has': on(web, [outside, '203.0.113.80:80']),
  'goes to the sockets of this node, not to a real server': on(web, ['node', '127.0.0.1:30080']),
  'a rule is not understood': on(
    web,
    [pod, toClusterIP],
    rule('filter', '-A INPUT -m bpf --bytecode "1,6 0 0 1" -j DROP'),
  ),
  'is an address of Services, and no set has': on(web, [pod, toClusterIP, unknown], noEntry),
  '(shop/first)': on(contested, [outside, '198.51.100.7:80']),
  'has no port': on(web, [pod, 'svc/shop/web:https']),
  'or one that kube-proxy leaves alone': on(web, [pod, 'svc/shop/none:http']),
  'kube-proxy does nothing for it here': on(
    () => web({ type: 'ExternalName', clusterIPs: [] }),
    [pod, toService],
  ),
  'the sender has no IPv6 address': on(web, [pod, '[fd00:172:30::1]:80']),
  'is a name, and there is nothing to ask for it': on(web, [pod, toService, unknown]),
};

test('the page quotes what is tried here, and nothing else', () => {
  const page = readFileSync('docs/troubleshoot.md', 'utf8');
  const table = page.split('\n### A connection fails\n')[1]?.split('\n### ')[0] ?? '';
  const cells = [...table.matchAll(/^[|][^|]*[|][^|]*[|]([^|]*)[|]/gm)].map(([, cell]) => cell);
  const quoted = cells.flatMap((cell = '') =>
    [...cell.matchAll(/“(.*?)”/g)].map(([, quotation = '']) => quotation),
  );
  expect(quoted.toSorted()).toEqual(Object.keys(scenarios).toSorted());
});

test.each(Object.entries(scenarios))('“%s”', async (quotation, print) => {
  expect(await print()).toContain(quotation);
});
