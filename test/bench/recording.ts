/**
 * The messages of the floor, made by sending them once: what a cluster needs in the kernel, straight through the interfaces
 * of the kernel packages, without a proxier.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IpAddress, parseAddress } from '../../pkg/ip/address.ts';
import type { EntryWrite } from '../../pkg/ipset/ipset.ts';
import { NetlinkIpSets } from '../../pkg/ipset/netlink.ts';
import { IPVS_GENL_NAME } from '../../pkg/ipvs/commands.ts';
import type { IpvsWrite } from '../../pkg/ipvs/ipvs.ts';
import { NetlinkIpvs } from '../../pkg/ipvs/netlink.ts';
import { NetlinkLinks } from '../../pkg/links/netlink.ts';
import { NETLINK_ROUTE } from '../../pkg/links/schema.ts';
import { Connection, type ConnectionOptions } from '../../pkg/netlink/connection.ts';
import { GenericFamily, NETLINK_GENERIC } from '../../pkg/netlink/generic.ts';
import { NETLINK_NETFILTER } from '../../pkg/netlink/netfilter.ts';
import { type DatagramSocket, NetlinkSocket } from '../../pkg/netlink/socket.ts';
import { deviceName } from '../../pkg/proxy/desired/device.ts';
import { setHeader, setIds, setName } from '../../pkg/proxy/desired/sets.ts';
import { NetlinkRoutes } from '../../pkg/routes/netlink.ts';
import { virtualServerOf } from '../support/virtual-server.ts';
import { podsOf, service, slice, vipRange } from './objects.ts';

/** The files that {@link record} writes: sets, virtual servers, what binds VIPs, and a look at all of them. */
export const recordings = ['ipset', 'ipvs', 'addresses', 'audit'] as const;

/** What is recorded. */
interface RecordedCluster {
  readonly services: number;
  readonly endpoints: number;
  /** By routes, one to the range of all VIPs stands in place of their addresses. */
  readonly vipBinding: 'address' | 'route';
}

/** Writes a cluster into the kernel of this namespace and the messages that do it into files of a folder. */
export async function record(
  folder: string,
  { services, endpoints, vipBinding }: RecordedCluster,
): Promise<void> {
  const tape = new Tape();
  const ipvs = openRecordedIpvs(tape);
  const ipsets = new NetlinkIpSets(tape.connect(NETLINK_NETFILTER, { echo: true }));
  const links = new NetlinkLinks(tape.connect(NETLINK_ROUTE, {}));
  const routes = new NetlinkRoutes(tape.connect(NETLINK_ROUTE, { strict: true }));
  tape.clear(); // looking for the family is no part of it
  const { virtualServers, entries, addresses } = wanted(services, endpoints);
  for (const family of ['IPv4', 'IPv6'] as const)
    for (const id of setIds) ipsets.create(setHeader(id, family));
  expectNone(ipsets.write(entries));
  tape.write(join(folder, 'ipset'));
  expectNone(ipvs.write(virtualServers));
  tape.write(join(folder, 'ipvs'));
  links.ensureDummy(deviceName);
  if (vipBinding === 'route') {
    expectNone(routes.write([{ kind: 'addRoute', network: vipRange, source: undefined }]));
  } else {
    const binds = addresses.map((address) => ({
      kind: 'bindAddress' as const,
      link: deviceName,
      address,
    }));
    expectNone(links.write(binds));
  }
  tape.write(join(folder, 'addresses'));
  await links.addresses();
  if (vipBinding === 'route') await routes.routes();
  await ipsets.sets();
  for (const family of ['IPv4', 'IPv6'] as const)
    for (const id of setIds) await ipsets.entries(setName(id, family));
  for (const virtualServer of await ipvs.virtualServers()) await ipvs.realServers(virtualServer);
  tape.write(join(folder, 'audit'));
  tape.close();
}

function wanted(services: number, endpoints: number) {
  const virtualServers: IpvsWrite[] = [];
  const entries: EntryWrite[] = [];
  const addresses: IpAddress[] = [];
  for (let index = 0; index < services; index++) {
    const { clusterIP } = (service(index) as { spec: { clusterIP: string } }).spec;
    const { endpoints: pods } = slice(index, podsOf(index, endpoints)) as {
      endpoints: readonly { addresses: readonly string[] }[];
    };
    const ip = address(clusterIP);
    const virtualServer = virtualServerOf(ip);
    virtualServers.push({ kind: 'addVirtualServer', virtualServer });
    for (const pod of pods) {
      const realServer = realServerAt(address(pod.addresses[0] ?? ''));
      virtualServers.push({ kind: 'addRealServer', virtualServer, realServer });
    }
    addresses.push(ip);
    const entry = { type: 'hash:ip,port', ip, protocol: 'TCP', port: 80 } as const;
    entries.push({ kind: 'addEntry', set: setName('clusterIp', 'IPv4'), entry });
    entries.push({
      kind: 'addEntry',
      set: setName('ipvsIps', 'IPv4'),
      entry: { type: 'hash:ip', ip },
    });
  }
  return { virtualServers, entries, addresses };
}

function realServerAt(ip: IpAddress) {
  return {
    address: ip,
    port: 8080,
    weight: 1,
    forwarding: 'masquerade' as const,
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

function openRecordedIpvs(tape: Tape): NetlinkIpvs {
  const connection = tape.connect(NETLINK_GENERIC, {});
  const family = new GenericFamily(connection, IPVS_GENL_NAME);
  family.id();
  return new NetlinkIpvs(connection, family);
}

function expectNone(failures: readonly { readonly error: Error }[]): void {
  const [first] = failures;
  if (first !== undefined) throw first.error;
}

/** Every send of some connections, in order, as `floor.c` reads it. */
class Tape {
  #pieces: Uint8Array[] = [];
  readonly #connections: Connection[] = [];

  connect(
    protocol: number,
    { echo = false, strict = false }: Pick<ConnectionOptions, 'echo' | 'strict'>,
  ): Connection {
    const buffers = { sendBuffer: 1 << 20, receiveBuffer: 1 << 20 };
    const connection = new Connection(
      () => this.#listen(protocol, NetlinkSocket.open(protocol, { ...buffers, echo, strict })),
      { timeout: 10_000 },
    );
    this.#connections.push(connection);
    return connection;
  }

  clear(): void {
    this.#pieces = [];
  }

  /** Writes what was sent since the last time. */
  write(file: string): void {
    writeFileSync(file, Buffer.concat(this.#pieces));
    this.clear();
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #listen(protocol: number, socket: NetlinkSocket): DatagramSocket {
    return {
      messages: socket.messages,
      sendLimit: socket.sendLimit,
      send: (bytes, length) => {
        const header = new Uint8Array(Uint32Array.of(protocol, length).buffer);
        this.#pieces.push(header, bytes.slice(0, length));
        return socket.send(bytes, length);
      },
      receive: (deadline) => socket.receive(deadline),
      close: () => socket.close(),
    };
  }
}
