import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Change } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { readState } from '../support/kernel-state.ts';
import { type Connection, open } from '../support/network/client.ts';
import { Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';

// What somebody else does to our part of the kernel, with the tools that people use, is undone by the next audit, and nothing
// but that; what is somebody else's stays as it is.

const network = new Network();
network.addClient('client', [ip('203.0.113.7')]);
const caller = network.addPod('caller', [ip('10.0.1.2'), ip('fd00:10:0:1::2')]);
const pod = network.addPod('pod', [ip('10.0.1.1'), ip('fd00:10:0:1::1')]);
const { namespace } = network.node;
const other = { address: ip('172.30.0.2'), protocol: 'TCP', port: 80 } as const;
const servers: Server[] = [];

/** Carries out lines of a shell on the node. */
function onNode(...lines: readonly string[]): string {
  return namespace.run('sh', '-ec', lines.join('\n'));
}

/** Virtual servers of somebody else: on an address of nobody, on ports of the node that are no node ports, by mark, in an excluded network. */
const foreign = [
  'ipvsadm -A -t 203.0.113.50:25 -s wlc',
  'ipvsadm -a -t 203.0.113.50:25 -r 203.0.113.51:25 -g -w 3',
  'ipvsadm -A -t 192.168.0.10:9999 -s rr',
  'ipvsadm -a -t 192.168.0.10:9999 -r 10.0.1.1:9999 -m -w 0',
  'ipvsadm -A -u 192.168.0.10:30080 -s rr',
  'ipvsadm -A -f 7 -s sh',
  'ipvsadm -a -f 7 -r 10.0.1.1:0 -m -w 1',
  'ipvsadm -A -t 172.31.0.5:80 -s rr -p 60',
  'ipvsadm -a -t 172.31.0.5:80 -r 10.0.9.9:80 -m -w 1',
];

/** `shop/web` in both families with a node port, and `shop/other`, whose connections must not notice anything. */
function objects(): readonly Change[] {
  const ports = [servicePort({ nodePort: 30_080 })];
  const clusterIPs = [ip('172.30.0.1'), ip('fd00:172:30::1')];
  const here = { nodeName: 'here' };
  return [
    setService(service({ type: 'NodePort', clusterIPs, ports })),
    setSlice(slice([endpoint('10.0.1.1', here), endpoint('10.0.2.1')])),
    setSlice(slice([endpoint('fd00:10:0:1::1', here)], { name: 'web-6' })),
    setService(service({ name: 'other', clusterIPs: [other.address], created: 2 })),
    setSlice(slice([endpoint('10.0.1.1', here)], { name: 'other-1', serviceName: 'other' })),
  ];
}

beforeAll(() => {
  servers.push(serve(pod, { address: ip('10.0.1.1'), protocol: 'TCP', port: 8080 }));
});

afterAll(() => {
  for (const server of servers) server.close();
  network.close();
});

/** Waits for so many audits to end, and for all that they began. */
async function auditsEnd(proxy: NodeProxy, count: number): Promise<void> {
  // An audit is about both families, as no sync here is.
  const ended = () => proxy.reports.syncs.filter(({ families }) => families.length === 2).length;
  const before = ended();
  await proxy.until(() => ended() >= before + count);
  // Rules are written beside the audit that asks for them.
  await proxy.settled();
}

/** Waits for an audit that began after this moment, and for all that it began to end. */
async function audited(proxy: NodeProxy): Promise<void> {
  await auditsEnd(proxy, 2);
}

interface Hand {
  readonly name: string;
  readonly does: readonly string[];
  /** What the audit has to do, each kind as often as it is needed. */
  readonly repairs: Record<string, number>;
  /** Connections through other Services do not outlive it, repaired or not. */
  readonly isDeadly?: boolean;
}

const hands: readonly Hand[] = [
  {
    name: 'changed weights',
    does: [
      'ipvsadm -e -t 172.30.0.1:80 -r 10.0.1.1:8080 -m -w 5',
      'ipvsadm -e -t [fd00:172:30::1]:80 -r [fd00:10:0:1::1]:8080 -m -w 0',
    ],
    repairs: { weighRealServer: 2 },
  },
  {
    name: 'real servers deleted and added, and another scheduler',
    does: [
      'ipvsadm -d -t 172.30.0.1:80 -r 10.0.2.1:8080',
      'ipvsadm -a -t 172.30.0.1:80 -r 10.0.9.9:8080 -m -w 1',
      'ipvsadm -E -t 192.168.0.10:30080 -s wlc -p 300',
    ],
    repairs: { addRealServer: 1, drainRealServer: 1, updateVirtualServer: 1 },
  },
  {
    name: 'a deleted virtual server',
    does: ['ipvsadm -D -t 192.168.0.10:30080'],
    repairs: { addVirtualServer: 1, addRealServer: 2 },
  },
  {
    name: 'every virtual server deleted',
    does: ['ipvsadm -C', ...foreign],
    // Two of the cluster, two of the node port, and the one of the other Service.
    repairs: { addVirtualServer: 5, addRealServer: 7 },
    isDeadly: true,
  },
  {
    name: 'a deleted entry',
    does: ['ipset del KUBE-CLUSTER-IP 172.30.0.1,tcp:80'],
    repairs: { addEntry: 1 },
  },
  {
    name: 'deleted and added entries of several sets',
    does: [
      'ipset del KUBE-NODE-PORT-TCP 30080',
      'ipset del KUBE-6-IPVS-IPS fd00:172:30::1',
      'ipset add KUBE-IPVS-IPS 172.30.9.9',
    ],
    repairs: { addEntry: 2, deleteEntry: 1 },
  },
  {
    name: 'a flushed chain',
    does: ['iptables -t nat -F KUBE-SERVICES'],
    repairs: { setRules: 1 },
  },
  {
    name: 'a removed jump, and a rule added in the other family',
    does: [
      'iptables -t nat -D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      'ip6tables -t nat -A KUBE-MARK-MASQ -j RETURN',
    ],
    repairs: { setRules: 2 },
  },
  {
    name: 'sets destroyed, after all rules that held them',
    does: [
      'for f in ip ip6; do for table in nat filter; do ${f}tables -t $table -F; done; done',
      'ipset destroy KUBE-CLUSTER-IP',
      'ipset destroy KUBE-6-LOOP-BACK',
    ],
    repairs: { createSet: 2, addEntry: 3, setRules: 2 },
  },
  {
    name: 'an address taken away, and a foreign one added',
    does: ['ip addr del 172.30.0.1/32 dev kube-ipvs0', 'ip addr add 172.30.9.9/32 dev kube-ipvs0'],
    repairs: { bindAddress: 1, unbindAddress: 1 },
  },
  {
    name: 'the device deleted',
    does: ['ip link del kube-ipvs0'],
    repairs: { makeDevice: 1, bindAddress: 3 },
  },
];

const excluded = [net('172.31.0.0/16')];

describe('the next audit', () => {
  let proxy: NodeProxy;
  let before: string;
  let connection: Connection;

  async function start(): Promise<void> {
    proxy = new NodeProxy(namespace, { syncPeriod: 500, excluded });
    proxy.report(...objects());
    await proxy.settled();
  }

  beforeAll(async () => {
    onNode(
      ...foreign,
      // A kube-proxy served this address before its network was excluded: without that its virtual server would count as ours.
      'ipset create KUBE-IPVS-IPS hash:ip maxelem 65536',
      'ipset add KUBE-IPVS-IPS 172.31.0.5',
    );
    const others = onNode('ipvsadm -Sn').trim().split('\n');
    expect(others.length).toBe(foreign.length);
    await start();
    before = readState(namespace);
    expect(before.split('\n')).toEqual(expect.arrayContaining(others));
    connection = await connect();
  });

  afterAll(async () => {
    connection.close();
    await proxy.stop();
  });

  async function connect(): Promise<Connection> {
    const opened = await open(caller, other);
    if ('kind' in opened) throw new Error(`not connected: ${opened.kind}`);
    expect(await opened.ask()).toMatchObject({ server: 'pod' });
    return opened;
  }

  /** How often each kind of repair was counted. */
  function counted(): Record<string, number> {
    const kinds = Map.groupBy(proxy.reports.repairs, (kind) => kind);
    return Object.fromEntries([...kinds].map(([kind, all]) => [kind, all.length]));
  }

  test.each(hands)('repairs $name, and nothing else', async ({ does, repairs, isDeadly }) => {
    proxy.reports.repairs.length = 0;
    // Between two audits: one under way has read a part of what is changed now, and repairs the rest of it in two steps.
    await auditsEnd(proxy, 1);
    onNode(...does);
    await audited(proxy);
    expect(counted()).toEqual(repairs);
    expect(readState(namespace)).toBe(before);
    if (isDeadly) {
      connection.close();
      connection = await connect();
    } else expect(await connection.ask()).toMatchObject({ kind: 'answer', server: 'pod' });
  });
  test('changes nothing, and neither do an end and a new start', async () => {
    await proxy.stop();
    await start();
    await audited(proxy);
    expect(proxy.reports.repairs).toEqual([]);
    expect(readState(namespace)).toBe(before);
    expect(await connection.ask()).toMatchObject({ kind: 'answer', server: 'pod' });
  });
});
