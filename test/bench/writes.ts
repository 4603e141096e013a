/** Writes as a first sync has them. */

import type { EntryWrite } from '../../pkg/ipset/ipset.ts';
import type { IpvsWrite, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import type { AddressWrite } from '../../pkg/links/links.ts';
import { ip } from '../support/addresses.ts';
import { virtualServerOf } from '../support/virtual-server.ts';

/** Real servers of a virtual server. */
const endpoints = 10;

/** The virtual server of a number. */
function numbered(index: number): VirtualServer {
  return virtualServerOf(ip(`172.30.${index >> 8}.${index & 255}`), { port: 443 });
}

/** Any virtual server. */
export const someVirtualServer = numbered(1);

/** New virtual servers. */
export function serviceWrites(count: number): readonly IpvsWrite[] {
  return Array.from({ length: count }, (_, index) => ({
    kind: 'addVirtualServer',
    virtualServer: numbered(index),
  }));
}

/** New real servers, ten behind each virtual server. */
export function destinationWrites(count: number): readonly IpvsWrite[] {
  let virtualServer = numbered(0);
  return Array.from({ length: count }, (_, index) => {
    if (index % endpoints === 0) virtualServer = numbered(index / endpoints);
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
    const { address } = numbered(index);
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
    address: numbered(index).address,
  }));
}
