import { spawnSync } from 'node:child_process';
import { familyOf, type IpAddress } from '../../../pkg/ip/address.ts';
import type { PacketOrigin } from '../../../pkg/trace/packet.ts';
import { ip } from '../addresses.ts';
import { createNamespace, type Namespace } from '../namespace.ts';

/** Addresses of the node in every test network. */
export const nodeAddresses = { IPv4: ip('192.168.0.10'), IPv6: ip('fd00:192:168::10') } as const;

/** The node's end of every link. */
export const gatewayMac = 'ee:ee:ee:ee:ee:ee';

/** An address of a bridge, and the length of the prefix of its network. */
interface BridgeAddress {
  readonly address: IpAddress;
  readonly length: number;
}

/** A machine of the test network: a network namespace with addresses. */
export interface Host {
  readonly name: string;
  readonly namespace: Namespace;
  readonly addresses: readonly IpAddress[];
}

/**
 * A node with pods on it and clients outside, as most CNIs wire them: each pod has a device pair of its own, a /32 (or /128)
 * address and a host route. The node has its address on `eth0`, behind which the first client lives.
 *
 *     client ── eth0 [node 192.168.0.10] v-pod1 ── pod 10.0.1.1
 */
export class Network {
  readonly node: Host;
  readonly #hosts: Host[] = [];
  readonly #bridges = new Map<string, readonly BridgeAddress[]>();
  readonly #origins = new Map<Host, PacketOrigin>();

  /** The node has these addresses, one of each family. */
  constructor({ addresses = Object.values(nodeAddresses) }: Partial<Pick<Host, 'addresses'>> = {}) {
    const namespace = createNamespace();
    this.node = { name: 'node', namespace, addresses };
    namespace.run(
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv6.conf.default.accept_dad=0',
      'net.ipv6.conf.all.accept_dad=0',
    );
  }

  /** A pod on the node: its device on the node is `v-<name>`. */
  addPod(name: string, addresses: readonly IpAddress[]): Host {
    return this.#addHost({ name, addresses, device: `v-${name}` });
  }

  /** A bridge on the node with addresses of its own, for {@link addBridgedPod}: their networks are on it. */
  addBridge(device: string, networks: readonly BridgeAddress[]): void {
    batch(this.node.namespace, [
      `link add ${device} type bridge forward_delay 0 mcast_snooping 0`,
      `link set ${device} address ${gatewayMac} up`,
      ...networks.map(
        ({ address, length }) =>
          `addr add ${address}/${length} dev ${device}${familyOf(address) === 'IPv6' ? ' nodad' : ''}`,
      ),
    ]);
    this.#bridges.set(device, networks);
  }

  /** A pod on a bridge of the node, as the bridge plug-in wires it: its neighbours are on its own network. */
  addBridgedPod(name: string, addresses: readonly IpAddress[], device: string): Host {
    const networks = this.#bridges.get(device);
    if (networks === undefined) throw new Error(`there is no bridge ${device}`);
    const namespace = createNamespace();
    const host = { name, namespace, addresses };
    this.#hosts.push(host);
    this.#origins.set(host, { kind: 'device', name: device, bridgePort: `v-${name}` });
    batch(this.node.namespace, [
      `link add v-${name} type veth peer name eth0 netns ${namespace.name}`,
      `link set v-${name} master ${device} up`,
      // Without it a bridge sends nothing back to the port it came from, and no pod could connect to itself through a Service.
      `link set v-${name} type bridge_slave hairpin on`,
    ]);
    const sameFamily = (address: IpAddress) =>
      networks.find((network) => familyOf(network.address) === familyOf(address));
    batch(namespace, [
      'link set eth0 up',
      ...addresses.map(
        (address) => `addr add ${address}/${sameFamily(address)?.length} dev eth0 nodad`,
      ),
      ...networks.map((network) => `route add default via ${network.address} dev eth0`),
    ]);
    return host;
  }

  /** A client outside, behind the node's `eth0` if it is the first, else behind `x-<name>`. */
  addClient(name: string, addresses: readonly IpAddress[]): Host {
    const isFirst = !this.#hosts.some((host) => host.name.startsWith('client'));
    return this.#addHost({ name, addresses, device: isFirst ? 'eth0' : `x-${name}` });
  }

  /** Where packets of a host enter the node's stack. */
  originOf(host: Host): PacketOrigin {
    return this.#origins.get(host) ?? { kind: 'node' };
  }

  /** The host that has an address. */
  hostAt(address: IpAddress): Host | undefined {
    return [this.node, ...this.#hosts].find(({ addresses }) => addresses.includes(address));
  }

  /**
   * Takes a host away as a machine that is lost: its link goes down at its end, and nobody hears of it. At the node's end, as when
   * the runtime takes a pod's device away, the node loses its route too, and the kernel forgets flows masqueraded over the device.
   */
  cut({ name, namespace }: Host, { side = 'host' }: { side?: 'host' | 'node' } = {}): void {
    const down = (device: string) => ['link', 'set', device, 'down'];
    if (side === 'host') namespace.run('ip', ...down('eth0'));
    else this.node.namespace.run('ip', ...down(`v-${name}`));
  }

  /** Takes a pod away for good, so that another one may have its addresses. */
  remove(pod: Host): void {
    this.#hosts.splice(this.#hosts.indexOf(pod), 1);
    this.node.namespace.run('ip', 'link', 'delete', `v-${pod.name}`);
    pod.namespace.remove();
  }

  /** Takes everything away. */
  close(): void {
    for (const { namespace } of [...this.#hosts, this.node]) namespace.remove();
  }

  #addHost({
    name,
    addresses,
    device,
  }: {
    name: string;
    addresses: readonly IpAddress[];
    device: string;
  }): Host {
    const namespace = createNamespace();
    const host = { name, namespace, addresses };
    this.#hosts.push(host);
    this.#origins.set(host, { kind: 'device', name: device });
    batch(this.node.namespace, [
      `link add ${device} type veth peer name eth0 netns ${namespace.name}`,
      `link set ${device} address ${gatewayMac} up`,
      `addr add fe80::1/64 dev ${device} nodad`,
      ...(device === 'eth0'
        ? this.node.addresses.map((address) =>
            familyOf(address) === 'IPv4'
              ? `addr add ${address}/24 dev eth0`
              : `addr add ${address}/64 dev eth0 nodad`,
          )
        : []),
      ...addresses.map((address) => `route add ${printHostRoute(address)} dev ${device}`),
    ]);
    batch(namespace, podLines(addresses));
    return host;
  }
}

/** Lines for `ip` that set a pod's own end of its device up: its addresses, and the way to everywhere. */
export function podLines(addresses: readonly IpAddress[]): readonly string[] {
  return [
    'link set eth0 up',
    ...addresses.map(
      (address) =>
        `addr add ${printHostRoute(address)} dev eth0${familyOf(address) === 'IPv6' ? ' nodad' : ''}`,
    ),
    // The gateway is nobody's address, only a name for the other end's: the node's devices have no address of their own.
    'route add 169.254.1.1 dev eth0 scope link',
    `neigh add 169.254.1.1 lladdr ${gatewayMac} dev eth0`,
    `neigh add fe80::1 lladdr ${gatewayMac} dev eth0`,
    'route add default via 169.254.1.1 dev eth0',
    'route add default via fe80::1 dev eth0',
  ];
}

/** `10.0.1.2/32`, or with /128: an address alone. */
export function printHostRoute(address: IpAddress): string {
  return `${address}/${familyOf(address) === 'IPv4' ? 32 : 128}`;
}

/** Runs lines of `ip` in a namespace, all in one process. */
function batch({ name }: Namespace, lines: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', ['-n', name, '-batch', '-'], {
    input: lines.join('\n'),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ip -n ${name} -batch: ${stderr}`);
}
