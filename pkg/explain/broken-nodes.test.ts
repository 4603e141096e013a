import { describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { ExplainedNode } from '../../test/support/explained-node.ts';
import { elsewhere, here, web } from '../../test/support/explained-web.ts';
import { node, service, servicePort, slice } from '../../test/support/objects.ts';
import { proxierSettings } from '../../test/support/proxier-settings.ts';
import { type Prefix, single } from '../ip/prefix.ts';

// Nodes that are broken in one way each: the verdict names the cause, with the objects of the API and, where it can, without them.

const clusterIP = ip('172.30.0.1');
const toService = 'svc/shop/web:http';
const toClusterIP = '172.30.0.1:80';
const outside = 'outside=203.0.113.9';
const pod = '10.0.1.9';

describe('a node without a fault', () => {
  test.each([
    [pod, toService],
    [outside, toService],
    [outside, 'node:30080'],
    [outside, '198.51.100.1:80'],
    ['node', toService],
    ['10.0.1.4', toService],
  ])('%s to %s is answered, and nothing is otherwise than it should be', async (from, to) => {
    const broken = await web();
    const { answer, causes, differences } = await broken.ask(from, to);
    expect({ answer, causes, differences }).toEqual({
      answer: 'yes',
      causes: [],
      differences: { isFaringAsItShould: true, list: [] },
    });
  });

  test('says whom the real servers see', async () => {
    const { verdict } = await (await web()).ask(pod, toService);
    expect(verdict).toBe(
      'Yes: TCP from 10.0.1.9 to 172.30.0.1:80 (shop/web) reaches one of 2 real servers, which see 10.0.1.9.',
    );
    const { balancing } = await (await web()).ask(outside, toService);
    expect(balancing?.realServers.map(({ sees, wayBack }) => [sees, wayBack])).toEqual([
      ['10.0.1.254', 'masqueraded'],
      ['192.168.0.10', 'masqueraded'],
    ]);
  });
});

test('a flushed chain: what it no longer does is named', async () => {
  const broken = await web();
  broken.kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' });
  const known = await broken.ask(outside, toService);
  expect(known.answer).toBe('in part');
  expect(known.verdict).toContain('rule -A KUBE-SERVICES');
  expect(known.verdict).toContain('is missing');
  const alone = await broken.ask(outside, toClusterIP, { hasNames: false });
  expect(alone.answer).toBe('in part');
  expect(alone.verdict).toContain('KUBE-SERVICES (nat) has no rules');
});

test('a missing jump', async () => {
  const broken = await web();
  const rule =
    '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING';
  broken.kernel.firewall.removeRule('IPv4', { table: 'nat', rule });
  expect((await broken.ask(outside, toService)).verdict).toContain(`jump ${rule} (nat) is missing`);
  const alone = await broken.ask(outside, toClusterIP, { hasNames: false });
  expect(alone.verdict).toContain('no rule of POSTROUTING (nat) leads to KUBE-POSTROUTING');
});

test('a missing set entry', async () => {
  const broken = await web();
  const entry = { type: 'hash:ip,port', ip: clusterIP, protocol: 'TCP', port: 80 } as const;
  broken.kernel.ipsets.write([{ kind: 'deleteEntry', set: 'KUBE-CLUSTER-IP', entry }]);
  const known = await broken.ask(outside, toService);
  expect(known.answer).toBe('no');
  expect(known.verdict).toContain('set entry 172.30.0.1,tcp:80 of KUBE-CLUSTER-IP is missing');
  const alone = await broken.ask(outside, toClusterIP, { hasNames: false });
  expect([alone.answer, alone.causes[0]?.kind]).toEqual(['no', 'port-not-served']);
  expect(alone.verdict).toContain('no set has 172.30.0.1:80/TCP (KUBE-IPVS-FILTER (filter)');
});

test('a foreign REJECT', async () => {
  const broken = await web();
  const rule = '-A INPUT -s 203.0.113.0/24 -p tcp -j REJECT --reject-with icmp-port-unreachable';
  broken.kernel.firewall.insertRule('IPv4', { table: 'filter', rule });
  const { answer, verdict, causes } = await broken.ask(outside, toClusterIP, { hasNames: false });
  expect([answer, causes[0]?.kind]).toEqual(['no', 'foreign-rule']);
  expect(verdict).toBe(
    `No: TCP from 203.0.113.9 to 172.30.0.1:80 is rejected: a rule that is not kube-proxy's ends it (INPUT (filter): ${rule}).`,
  );
  expect((await broken.ask(pod, toClusterIP)).answer).toBe('yes');
});

describe.each([
  { ranges: [] as Prefix[], name: 'routes of their own' },
  { ranges: [net('172.30.0.0/16')], name: 'the route of a range' },
])('where VIPs are local by $name', ({ ranges }) => {
  const vipBinding = { mode: 'route', ranges, podNetworks: [] } as const;

  test('nothing differs from what should be there', async () => {
    const node = await ExplainedNode.with((await web()).objects, {
      ...proxierSettings,
      vipBinding,
    });
    const { answer, causes, differences } = await node.ask(pod, toClusterIP);
    expect([answer, causes, differences?.list]).toEqual(['yes', [], []]);
  });

  test('a route that is missing is named', async () => {
    const node = await ExplainedNode.with((await web()).objects, {
      ...proxierSettings,
      vipBinding,
    });
    node.localRoutes.splice(0);
    const { answer, differences } = await node.ask(pod, toClusterIP);
    expect(answer).toBe('no');
    expect(differences?.list.map(({ text }) => text)).toEqual([
      'local route to 172.30.0.1 is missing',
    ]);
  });
});

describe('an address', () => {
  test('on another device', async () => {
    const broken = await web();
    const { links } = broken.kernel;
    links.removeAddress({ link: 'kube-ipvs0', address: clusterIP });
    links.addAddress({ link: 'eth1', address: clusterIP, prefixLength: 24 });
    for (const hasNames of [true, false]) {
      const { verdict, causes } = await broken.ask(pod, toClusterIP, { hasNames });
      expect(causes.map(({ kind }) => kind)).toContain('address-elsewhere');
      expect(verdict).toContain('172.30.0.1 is on eth1, and should be on kube-ipvs0 alone');
    }
  });

  test('by a local route is as good as on a device', async () => {
    const broken = await web();
    broken.kernel.links.removeAddress({ link: 'kube-ipvs0', address: clusterIP });
    broken.localRoutes.push(single(clusterIP));
    const { answer, causes } = await broken.ask(pod, toClusterIP);
    expect([answer, causes]).toEqual(['yes', []]);
  });

  test('on no device', async () => {
    const broken = await web();
    broken.kernel.links.removeAddress({ link: 'kube-ipvs0', address: clusterIP });
    const { answer, verdict, differences } = await broken.ask(pod, toClusterIP);
    expect(answer).toBe('no');
    expect(verdict).toContain('172.30.0.1 is on no device of this node');
    expect(differences?.list.map(({ text }) => text)).toEqual([
      'address 172.30.0.1 on kube-ipvs0 is missing',
    ]);
  });
});

test('a drained-out Service', async () => {
  const broken = await web();
  const id = { address: clusterIP, protocol: 'TCP', port: 80 } as const;
  for (const realServer of await broken.kernel.ipvs.realServers(id))
    broken.kernel.ipvs.write([
      { kind: 'updateRealServer', virtualServer: id, realServer: { ...realServer, weight: 0 } },
    ]);
  const { answer, verdict, differences } = await broken.ask(pod, toClusterIP);
  expect(answer).toBe('no');
  expect(verdict).toContain(
    'is refused with an ICMP message: all 2 real servers of 172.30.0.1:80/TCP have weight 0',
  );
  expect(differences?.list[0]?.text).toBe(
    'real server 10.0.1.4:8080 of 172.30.0.1:80/TCP has weight 0, and should have 1',
  );
});

test('no endpoint is ready', async () => {
  const unready = { ready: false, serving: false };
  const broken = await web({ endpoints: [{ ...here, ...unready }] });
  expect((await broken.ask(pod, toService)).verdict).toBe(
    'No: TCP from 10.0.1.9 to 172.30.0.1:80 (shop/web) is refused with an ICMP message: Service shop/web has 1 IPv4 endpoints and none is ready.',
  );
  const alone = await broken.ask(pod, toClusterIP, { hasNames: false });
  expect(alone.verdict).toContain('has no real server: no endpoint is ready');
});

describe('a policy Local without an endpoint here', () => {
  test('for clients outside', async () => {
    const broken = await web({ externalTrafficPolicy: 'Local', endpoints: [elsewhere] });
    for (const hasNames of [true, false]) {
      const { answer, verdict } = await broken.ask(outside, '198.51.100.1:80', { hasNames });
      expect(answer).toBe('no');
      expect(verdict).toContain('externalTrafficPolicy is Local and no endpoint is on this node');
    }
    expect((await broken.ask(pod, '198.51.100.1:80')).answer).toBe('yes');
  });

  test('for clients inside', async () => {
    const broken = await web({ internalTrafficPolicy: 'Local', endpoints: [elsewhere] });
    expect((await broken.ask(pod, toService)).verdict).toContain(
      'internalTrafficPolicy of Service shop/web is Local, and none of its 1 ready endpoints is on this node',
    );
  });
});

test('source ranges that exclude the client', async () => {
  const broken = await web({ sourceRanges: [net('192.0.2.0/24')] });
  for (const hasNames of [true, false]) {
    const { answer, verdict, causes } = await broken.ask(outside, '198.51.100.1:80', { hasNames });
    expect([answer, causes[0]?.kind]).toEqual(['no', 'source-range']);
    expect(verdict).toContain('the source ranges of the load balancer leave 203.0.113.9 out');
  }
  expect((await broken.ask('outside=192.0.2.7', '198.51.100.1:80')).answer).toBe('yes');
  expect((await broken.ask('node', '198.51.100.1:80')).verdict).toContain(
    'the source ranges of the load balancer leave this node out',
  );
});

describe('rp_filter', () => {
  test('strict, for a packet by another device than the way back', async () => {
    const { answer, verdict } = await (await web()).ask(outside, toClusterIP, { device: 'eth1' });
    expect(answer).toBe('no');
    expect(verdict).toContain(
      'rp_filter of eth1 is strict, and the route back to 203.0.113.9 is by eth0',
    );
  });

  test('loose lets it through', async () => {
    const broken = await web();
    broken.settings.set('net/ipv4/conf/eth1/rp_filter', '2');
    expect((await broken.ask(outside, toClusterIP, { device: 'eth1' })).answer).toBe('yes');
  });

  test('and a source without any route', async () => {
    const broken = await web();
    const { verdict } = await broken.ask('198.18.0.1', toClusterIP, { device: 'eth1' });
    expect(verdict).toContain('there is no route back to 198.18.0.1');
  });
});

describe('a stale entry', () => {
  const dnsPort = servicePort({ name: 'dns', protocol: 'UDP', port: 53 });
  const dns = () =>
    ExplainedNode.with({
      services: [service({ ports: [dnsPort] })],
      slices: [slice([here], { ports: [{ name: 'dns', protocol: 'UDP', port: 53 }] })],
      node: node(),
    });
  const original = {
    source: ip(pod),
    destination: clusterIP,
    sourcePort: 5353,
    destinationPort: 53,
  };
  const flow = (answeredBy: string) => ({
    protocol: 'UDP' as const,
    original,
    reply: {
      source: ip(answeredBy),
      destination: original.source,
      sourcePort: 53,
      destinationPort: original.sourcePort,
    },
    zone: 0,
    mark: 0,
    status: 0,
    tcpState: undefined,
  });

  test('of conntrack, for an endpoint that is gone', async () => {
    const broken = await dns();
    broken.kernel.conntrack.insert(flow('10.0.1.77'));
    const { answer, verdict, entries } = await broken.ask(pod, '172.30.0.1:53/udp');
    expect(answer).toBe('in part');
    expect(verdict).toContain(
      'conntrack has a stale entry for 10.0.1.9:5353: 10.0.1.77:53 is no real server any more',
    );
    expect(entries).toHaveLength(1);
  });

  test('of conntrack, from before the virtual server stood', async () => {
    const broken = await dns();
    broken.kernel.conntrack.insert(flow('172.30.0.1'));
    expect((await broken.ask(pod, '172.30.0.1:53/udp')).verdict).toContain('is not translated');
  });

  test('an entry to a real server of today is none, nor is one of another client', async () => {
    const broken = await dns();
    broken.kernel.conntrack.insert(flow('10.0.1.4'));
    expect((await broken.ask(pod, '172.30.0.1:53/udp')).answer).toBe('yes');
    expect((await broken.ask('10.0.1.8', '172.30.0.1:53/udp')).entries).toEqual([]);
  });
});

test('names of pods are asked for', async () => {
  const broken = await web();
  const place = { isHostNetwork: false, nodeName: 'here' };
  broken.pods.set('shop/cart', { ...place, addresses: [ip(pod)] });
  broken.pods.set('shop/agent', { ...place, addresses: [ip('192.168.0.10')], isHostNetwork: true });
  broken.pods.set('shop/new', { ...place, addresses: [] });
  expect((await broken.ask('pod/shop/cart', toService)).packet).toMatchObject({
    source: pod,
    device: 'cni0',
  });
  expect((await broken.ask('pod/shop/agent', toService)).packet.device).toBeNull();
  await expect(broken.ask('pod/shop/new', toService)).rejects.toThrow('has no address yet');
  await expect(broken.ask('pod/shop/none', toService)).rejects.toThrow('there is no pod shop/none');
});

test('objects that cannot be read are named, and the kernel is explained without them', async () => {
  const broken = await web();
  broken.objectsFailure = new Error('no route to host');
  const { answer, differences, notUnderstood } = await broken.ask(pod, toClusterIP);
  expect([answer, differences]).toEqual(['yes', null]);
  expect(notUnderstood).toEqual(['what should be there (the API): no route to host']);
  await expect(broken.ask(pod, toService)).rejects.toThrow('no route to host');
});

test('entries that cannot be read are named, and are not taken for none', async () => {
  const broken = await web();
  broken.kernel.conntrack.failWith = () => 'EPERM';
  broken.kernel.connections.failWith = () => 'EPERM';
  expect((await broken.ask(pod, toClusterIP)).notUnderstood).toEqual([
    'conntrack: dump flows: EPERM (injected)',
    'the connections of IPVS: read the connections of IPVS: EPERM',
  ]);
});

test('an IPVS persistence template decides for new connections', async () => {
  const broken = await web({ affinitySeconds: 600 });
  broken.kernel.connections.insert({
    protocol: 'TCP',
    client: ip(pod),
    clientPort: 0,
    address: clusterIP,
    port: 80,
    realAddress: ip('10.0.2.4'),
    realPort: 8080,
    state: 'NONE',
  });
  const { balancing } = await broken.ask(pod, toService);
  expect(balancing?.realServers.map(({ address }) => address)).toEqual(['10.0.2.4']);
});

describe('br_netfilter off', () => {
  test('for pods of one bridge', async () => {
    const broken = await web();
    broken.settings.set('net/bridge/bridge-nf-call-iptables', '0');
    const { answer, verdict } = await broken.ask(pod, toService);
    expect(answer).toBe('in part');
    expect(verdict).toContain('br_netfilter shows no packets of the bridge cni0');
  });

  test('does not matter for clients that are not on the bridge', async () => {
    const broken = await web();
    broken.settings.delete('net/bridge/bridge-nf-call-iptables');
    expect((await broken.ask(outside, toService)).answer).toBe('yes');
  });
});

describe('a second proxy', () => {
  test('in iptables mode, whose rules translate first', async () => {
    const broken = await web();
    for (const rule of [
      '-A KUBE-SEP-AAAA -p tcp -m tcp -j DNAT --to-destination 10.0.2.4:8080',
      '-A KUBE-SVC-AAAA -j KUBE-SEP-AAAA',
      '-A KUBE-SERVICES -d 172.30.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAA',
    ])
      broken.kernel.firewall.insertRule('IPv4', { table: 'nat', rule });
    const { verdict, causes } = await broken.ask(pod, toClusterIP);
    expect(causes.map(({ kind }) => kind)).toContain('second-proxy');
    expect(verdict).toContain('a kube-proxy in iptables mode has rules that translate the packet');
  });

  test('in nftables mode', async () => {
    const broken = await web();
    broken.kernel.nftTables.addTable({ family: 'IPv4', name: 'kube-proxy' });
    expect((await broken.ask(pod, toClusterIP)).verdict).toContain('a kube-proxy in nftables mode');
  });

  test('with the other flavour of iptables', async () => {
    const broken = await web();
    const text = broken.kernel.firewall.dump('IPv4');
    broken.otherRules.push({ family: 'IPv4', flavour: 'legacy', text });
    expect((await broken.ask(pod, toClusterIP)).verdict).toContain(
      'have KUBE-SERVICES: two proxies',
    );
  });

  test('that takes virtual servers away', async () => {
    const broken = await web();
    const virtualServer = { address: clusterIP, protocol: 'TCP', port: 80 } as const;
    broken.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }]);
    const { answer, verdict } = await broken.ask(pod, toClusterIP);
    expect(answer).toBe('no');
    expect(verdict).toContain(
      'no virtual server has 172.30.0.1:80/TCP, which Service shop/web should have',
    );
    expect(verdict).toContain('virtual server 172.30.0.1:80/TCP of Service shop/web is missing');
  });
});

describe('kernel settings', () => {
  test('forwarding is off', async () => {
    const broken = await web();
    broken.settings.set('net/ipv4/ip_forward', '0');
    expect((await broken.ask(pod, toClusterIP)).verdict).toContain(
      'forwarding is off on this node',
    );
    expect((await broken.ask('node', toClusterIP)).answer).toBe('yes');
  });

  test('IPVS without conntrack masquerades nothing', async () => {
    const broken = await web();
    broken.settings.set('net/ipv4/vs/conntrack', '0');
    const { answer, verdict } = await broken.ask(outside, toClusterIP);
    expect(answer).toBe('in part');
    expect(verdict).toContain('net.ipv4.vs.conntrack is 0');
  });
});

test('what is not understood is named, and nothing is guessed', async () => {
  const broken = await web();
  const rule = '-A INPUT -m bpf --bytecode "1,6 0 0 1" -j DROP';
  broken.kernel.firewall.insertRule('IPv4', { table: 'filter', rule });
  broken.kernel.nftTables.others.push('inet firewalld');
  const { answer, verdict, notUnderstood } = await broken.ask(pod, toClusterIP);
  expect(answer).toBe('unknown');
  expect(verdict).toContain('a rule is not understood: INPUT (filter): -A INPUT -m bpf');
  expect(notUnderstood).toEqual(['the rules of inet firewalld (nf_tables)']);
});
