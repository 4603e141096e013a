import {
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
  type VirtualServer,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import type { FrontEnd } from '../proxy/desired/footprint.ts';
import type { ProxierView } from '../proxy/view.ts';
import type {
  AddressKind,
  ServicePortName,
  VirtualServerReport,
  VirtualServerState,
} from './report.ts';

/** A virtual server of a Service, before its real servers are looked at. */
export interface KnownVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly servicePort: ServicePortName | undefined;
  readonly addressKind: AddressKind | undefined;
  readonly state: VirtualServerState;
  readonly lostTo: string | undefined;
  /** What is wanted of it; `undefined` if nobody, or another Service, wants it. */
  readonly frontEnd: FrontEnd | undefined;
}

/** The virtual servers that a Service, given by its key, asks for, each worked out when it is taken. */
export function* wantedVirtualServers(
  service: string,
  view: Pick<ProxierView, 'ledger' | 'mirror'>,
): Generator<KnownVirtualServer> {
  for (const { port, frontEnds } of view.ledger.footprints(service)) {
    // The first front end of a port is that of its cluster IP.
    const first = frontEnds[0]?.virtualServer.port;
    const servicePort = first === undefined ? undefined : { name: port.name, port: first };
    for (const mine of frontEnds) {
      const { virtualServer } = mine;
      const frontEnd = view.ledger.frontEnd(virtualServerKey(virtualServer));
      const holder = frontEnd?.owner?.key;
      const isLost = holder !== undefined && holder !== service;
      yield {
        virtualServer,
        servicePort,
        addressKind: kindOf(mine),
        state: isLost ? 'lost' : wantedState(virtualServer, view),
        lostTo: isLost ? holder : undefined,
        frontEnd: isLost ? undefined : frontEnd,
      };
    }
  }
}

/** A virtual server that nobody wants any more, by its key; `undefined` if it is gone. */
export function leftVirtualServer(
  key: string,
  { ledger }: Pick<ProxierView, 'ledger'>,
): KnownVirtualServer | undefined {
  const retired = ledger.retired().get(key);
  const frontEnd = retired ?? ledger.leaving().get(key);
  if (frontEnd === undefined) return undefined;
  const isKnown = ledger.lastOwner(key) !== undefined;
  return {
    virtualServer: frontEnd.virtualServer,
    servicePort: undefined,
    addressKind: isKnown ? kindOf(frontEnd) : undefined,
    state: retired === undefined ? 'leaving' : isKnown ? 'retired' : 'unowned',
    lostTo: undefined,
    frontEnd: undefined,
  };
}

function kindOf({
  addressKind,
  isExposed,
}: Pick<FrontEnd, 'addressKind' | 'isExposed'>): AddressKind {
  switch (addressKind) {
    case 'allocated':
      return isExposed ? 'nodePort' : 'clusterIP';
    case 'loadBalancer':
      return 'loadBalancer';
    case 'external':
      return 'externalIP';
  }
}

function wantedState(
  virtualServer: VirtualServer,
  { mirror }: Pick<ProxierView, 'mirror'>,
): VirtualServerState {
  const key = virtualServerKey(virtualServer);
  if (mirror.unknownVirtualServers.has(key)) return 'unknown';
  return mirror.virtualServers.has(key) ? 'served' : 'missing';
}

const flagNames: readonly (readonly [number, string])[] = [
  [IP_VS_SVC_F_PERSISTENT, 'persistent'],
  [IP_VS_SVC_F_ONEPACKET, 'onePacket'],
  [IP_VS_SVC_F_SCHED1, 'flag-1'],
  [IP_VS_SVC_F_SCHED2, 'flag-2'],
  [IP_VS_SVC_F_SCHED3, 'flag-3'],
];

/** The report of a virtual server without its real servers. */
export function virtualServerReport({
  virtualServer,
  servicePort,
  addressKind,
  state,
  lostTo,
}: KnownVirtualServer): Omit<VirtualServerReport, 'realServers' | 'moreRealServers'> {
  const { address, protocol, port, scheduler, flags, timeout } = virtualServer;
  return {
    address,
    protocol,
    port,
    servicePort: servicePort ?? null,
    addressKind: addressKind ?? null,
    state,
    lostTo: lostTo ?? null,
    scheduler,
    flags: flagNames.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name),
    affinitySeconds: timeout,
  };
}
