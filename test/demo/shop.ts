import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  isRecord,
  type KubeObject,
  listAt,
  recordsAt,
  textAt,
  valueAt,
} from '@kube-proxy-ipvs/test-apiserver/objects';
import { parseAllDocuments } from 'yaml';
import { type IpAddress, parseAddress, printHostPort } from '../../pkg/ip/address.ts';
import type { Protocol } from '../../pkg/ip/protocol.ts';

// The shop as the API server holds it, reduced to what the demo shows. Nothing here is the program's: what the kernel should
// hold is said once more, in the plainest words, to be compared with what it does hold.

/** An object of the API, of which only the needed fields are looked at. */
export type Described = object;

/** A pod that a slice speaks of. */
export interface PodFacts {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly ports: readonly PodPort[];
}

/** What a pod listens on. */
export interface PodPort {
  readonly port: number;
  readonly protocol: Protocol;
}

/** A virtual server that a Service asks for. */
export interface WantedVirtualServer {
  /** `shop/catalog` */
  readonly service: string;
  /** The port's name, or its number; `node port` behind it where it is one. */
  readonly portName: string;
  readonly protocol: Protocol;
  readonly address: IpAddress;
  readonly port: number;
  /** `10.0.1.14:8080` */
  readonly realServers: readonly string[];
}

/** The objects in a folder of manifests. */
export function readShop(folder: string): KubeObject[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), 'utf8')))
    .map((document): unknown => document.toJS())
    .filter((value): value is KubeObject => isRecord(value));
}

/** All pods behind slices, once each, with the addresses and ports of all their slices. */
export function podsOf(slices: readonly Described[]): PodFacts[] {
  const pods = new Map<string, { addresses: Set<IpAddress>; ports: Map<string, PodPort> }>();
  for (const slice of slices) {
    for (const endpoint of recordsAt(slice, 'endpoints')) {
      const name = textAt(endpoint, 'targetRef.name');
      if (name === '') continue;
      const pod = pods.get(name) ?? { addresses: new Set(), ports: new Map() };
      pods.set(name, pod);
      for (const address of addressesOf(endpoint)) pod.addresses.add(address);
      for (const port of recordsAt(slice, 'ports').map(podPort))
        pod.ports.set(`${port.protocol} ${port.port}`, port);
    }
  }
  return [...pods].map(([name, { addresses, ports }]) => ({
    name,
    addresses: [...addresses],
    ports: [...ports.values()],
  }));
}

/** The virtual servers that Services ask for, on their cluster IPs and, for node ports, on the node's addresses. */
export function wantedVirtualServers(
  services: readonly Described[],
  { slices, nodeAddresses }: { slices: readonly Described[]; nodeAddresses: readonly IpAddress[] },
): WantedVirtualServer[] {
  return services.flatMap((service) => {
    const addresses = clusterAddresses(service);
    const families = addresses.map(ipFamily);
    return recordsAt(service, 'spec.ports').flatMap((servicePort) => {
      const name = textAt(servicePort, 'name');
      const { port, protocol } = podPort(servicePort);
      const nodePort = Number(valueAt(servicePort, 'nodePort') ?? 0);
      const virtualServer = (
        address: IpAddress,
        at: { port: number; portName: string },
      ): WantedVirtualServer => ({
        ...at,
        service: nameOf(service),
        protocol,
        address,
        realServers: realServersOf(service, { slices, portName: name, family: ipFamily(address) }),
      });
      const portName = name || String(port);
      return [
        ...addresses.map((address) => virtualServer(address, { port, portName })),
        ...nodeAddresses
          .filter((address) => nodePort !== 0 && families.includes(ipFamily(address)))
          .map((address) =>
            virtualServer(address, { port: nodePort, portName: `${portName}, node port` }),
          ),
      ];
    });
  });
}

/** A Service's cluster IPs; none if it is headless or an alias. */
export function clusterAddresses(service: Described): IpAddress[] {
  return listAt(service, 'spec.clusterIPs').flatMap((text) => parseAddress(String(text)) ?? []);
}

/** `shop/catalog` */
export function nameOf(object: Described): string {
  return `${textAt(object, 'metadata.namespace') || 'default'}/${textAt(object, 'metadata.name')}`;
}

/** The slices of a Service. */
export function slicesOf(service: string, slices: readonly Described[]): Described[] {
  return slices.filter((slice) => {
    const labels = valueAt(slice, 'metadata.labels') as Record<string, string> | undefined;
    const owner = labels?.['kubernetes.io/service-name'] ?? '';
    return `${textAt(slice, 'metadata.namespace')}/${owner}` === service;
  });
}

/** Addresses of the endpoints of a Service that are ready. */
export function readyAddresses(service: string, slices: readonly Described[]): IpAddress[] {
  return slicesOf(service, slices).flatMap((slice) =>
    recordsAt(slice, 'endpoints').filter(isReady).flatMap(addressesOf),
  );
}

function realServersOf(
  service: Described,
  { slices, portName, family }: { slices: readonly Described[]; portName: string; family: string },
): string[] {
  return slicesOf(nameOf(service), slices)
    .filter((slice) => textAt(slice, 'addressType') === family)
    .flatMap((slice) => {
      const port = recordsAt(slice, 'ports').find(
        (candidate) => textAt(candidate, 'name') === portName,
      );
      if (port === undefined) return [];
      return recordsAt(slice, 'endpoints')
        .filter(isReady)
        .flatMap(addressesOf)
        .map((address) => printHostPort(address, podPort(port).port));
    });
}

function isReady(endpoint: Described): boolean {
  return valueAt(endpoint, 'conditions.ready') !== false;
}

function addressesOf(endpoint: Described): IpAddress[] {
  return listAt(endpoint, 'addresses').flatMap((text) => parseAddress(String(text)) ?? []);
}

function podPort(port: Described): PodPort {
  const protocol = (textAt(port, 'protocol') || 'TCP') as Protocol; // the server checked it
  return { port: Number(valueAt(port, 'port')), protocol };
}

function ipFamily(address: IpAddress): string {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
