import type { RealServer, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import { ip } from '../support/addresses.ts';

/** A virtual server of 443/TCP. */
export function virtualServer(text: string, changes: Partial<VirtualServer> = {}): VirtualServer {
  const address = ip(text);
  const prefixLength = text.includes(':') ? 128 : 32;
  return {
    address,
    protocol: 'TCP',
    port: 443,
    scheduler: 'rr',
    flags: 0,
    timeout: 0,
    prefixLength,
    persistenceEngine: '',
    ...changes,
  } as VirtualServer;
}

/** A real server of port 80. */
export function realServer(text: string, changes: Partial<RealServer> = {}): RealServer {
  return {
    address: ip(text),
    port: 80,
    weight: 1,
    forwarding: 'masquerade',
    upperThreshold: 0,
    lowerThreshold: 0,
    ...changes,
  } as RealServer;
}

/** The virtual servers of most tests. */
export const web = virtualServer('172.30.0.1');
/** {@link web} of the other family. */
export const web6 = virtualServer('fd00:172:30::1');
/** The real servers of most tests. */
export const one = realServer('10.0.0.1');
/** Another one beside {@link one}. */
export const two = realServer('10.0.0.2');
/** The statistics of what nobody has used. */
export const none = {
  connections: 0n,
  incomingPackets: 0n,
  outgoingPackets: 0n,
  incomingBytes: 0n,
  outgoingBytes: 0n,
};
