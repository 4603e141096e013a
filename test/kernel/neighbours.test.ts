import { afterAll, beforeAll } from 'vitest';
import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { NetlinkNeighbours } from '../../pkg/neighbours/netlink.ts';
import { openConnection } from '../../pkg/netlink/connection.ts';
import { neighboursContract } from '../contract/neighbours.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';

// A node with a router on its link, and nobody else there:  beyond ── router ── eth0 [node]

interface Plan {
  readonly own: IpAddress;
  readonly router: IpAddress;
  readonly absent: IpAddress;
  readonly beyond: IpAddress;
  readonly nowhere: IpAddress;
  readonly prefix: number;
}

const plans: Readonly<Record<Family, Plan>> = {
  IPv4: {
    own: ip('192.168.0.10'),
    router: ip('192.168.0.1'),
    absent: ip('192.168.0.77'),
    beyond: ip('10.0.2.1'),
    nowhere: ip('203.0.113.1'),
    prefix: 24,
  },
  IPv6: {
    own: ip('fd00:192:168::10'),
    router: ip('fd00:192:168::1'),
    absent: ip('fd00:192:168::77'),
    beyond: ip('fd00:10:0:2::1'),
    nowhere: ip('2001:db8::1'),
    prefix: 64,
  },
};
const node = createNamespace();
const router = createNamespace();
let leave = () => {};

beforeAll(() => {
  const link = ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0'];
  node.run('ip', ...link, 'netns', router.name);
  for (const namespace of [node, router]) namespace.run('ip', 'link', 'set', 'eth0', 'up');
  for (const { own, beyond, router: by, prefix } of Object.values(plans)) {
    node.run('ip', 'address', 'add', `${own}/${prefix}`, 'dev', 'eth0', 'nodad');
    addAddress(router, `${by}/${prefix}`);
    router.run('ip', 'address', 'add', beyond, 'dev', 'lo');
    node.run('ip', 'route', 'add', beyond, 'via', by);
  }
  // A neighbour that answers nothing counts as lost after three questions: not after three seconds, but soon.
  for (const version of ['ipv4', 'ipv6'])
    node.run('sysctl', '-qw', `net.${version}.neigh.eth0.retrans_time_ms=50`);
  leave = node.enter();
});

afterAll(() => {
  leave();
  for (const namespace of [node, router]) namespace.remove();
});

function addAddress(namespace: Namespace, address: string): void {
  namespace.run('ip', 'address', 'add', address, 'dev', 'eth0', 'nodad');
}

/** Sends a datagram, and waits until the neighbour has answered or is given up. */
async function send(address: IpAddress): Promise<void> {
  node.run('bash', '-c', `echo > /dev/udp/${address}/9`);
  while (node.run('ip', 'neighbour', 'show').includes('INCOMPLETE'))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

neighboursContract((family) => {
  const { router: by, prefix, ...addresses } = plans[family];
  const connection = openConnection(NETLINK_ROUTE, {});
  const forget = () => node.run('ip', 'neighbour', 'flush', 'all');
  forget();
  return {
    ...addresses,
    neighbours: new NetlinkNeighbours(connection),
    neighbour: by,
    device: Number.parseInt(node.run('ip', '-o', 'link', 'show', 'eth0'), 10),
    send,
    loseNeighbour() {
      router.run('ip', 'address', 'delete', `${by}/${prefix}`, 'dev', 'eth0');
      forget();
    },
    returnNeighbour: () => addAddress(router, `${by}/${prefix}`),
    dispose: () => connection.close(),
  };
});
