/** Writes as a first sync has them. */
import type { EntryWrite } from '../../pkg/ipset/ipset.ts';
import type { IpvsWrite, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import type { AddressWrite } from '../../pkg/links/links.ts';
import { ip } from '../support/addresses.ts';

/** Real servers of a virtual server. */
const endpoints = 10;

/** The virtual server of a number. */
function virtualServerOf(index: number): VirtualServer {
  return {
    address: ip(`172.30.${index >> 8}.${index & 255}`),
    protocol: 'TCP',
    port: 443,
    scheduler: 'rr',
    flags: 0,
    timeout: 0,
    prefixLength: 32,
    persistenceEngine: '',
  };
}

/** Any virtual server. */
export const someServer = virtualServerOf(1);

/** New virtual servers. */
export function serviceWrites(count: number): readonly IpvsWrite[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'addVirtualServer',
    virtualServer: virtualServerOf(index),
  }));
}

/** New real servers, ten behind each virtual server. */
export function destinationWrites(count: number): readonly IpvsWrite[] {
  let virtualServer = virtualServerOf(0);
  return Array.from({ length: count }, (_, index) => {
    if (index % endpoints === 0) virtualServer = virtualServerOf(index / endpoints);
    const realServer = {
      address: ip(`10.0.${index >> 8}.${index & 255}`),
      port: 8080,
      weight: 1,
      forwarding: 'masquerade' as const,
      upperThreshold: 0,
      lowerThreshold: 0,
    };
    return { kind: 'addRealServer', virtualServer, realServer };
  });
}

/** New entries of one set. */
export function entryWrites(count: number): readonly EntryWrite[] {
  return Array.from({ length: count }, (_, index) => {
    const { address } = virtualServerOf(index);
    return {
      kind: 'addEntry',
      set: 'KUBE-CLUSTER-IP',
      entry: { type: 'hash:ip,port', ip: address, protocol: 'TCP', port: 443 },
    };
  });
}

/** New addresses of one device. */
export function addressWrites(count: number): readonly AddressWrite[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'bindAddress',
    link: 'kube-ipvs0',
    address: virtualServerOf(index).address,
  }));
}
