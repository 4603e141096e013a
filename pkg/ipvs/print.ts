import { addressBits, familyOf, printHostPort } from '../ip/address.ts';
import {
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  IP_VS_SVC_F_SCHED3,
  type IpvsWrite,
  printRealServer,
  printVirtualServer,
  type RealServer,
  type VirtualServer,
} from './ipvs.ts';

/** A write for error messages: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP`. */
export function printWrite(write: IpvsWrite): string {
  const virtualServer = printVirtualServer(write.virtualServer);
  switch (write.kind) {
    case 'addVirtualServer':
      return `add virtual server ${virtualServer}`;
    case 'updateVirtualServer':
      return `change virtual server ${virtualServer}`;
    case 'deleteVirtualServer':
      return `delete virtual server ${virtualServer}`;
    case 'addRealServer':
      return `add real server ${printRealServer(write.realServer)} to ${virtualServer}`;
    case 'updateRealServer':
      return `change real server ${printRealServer(write.realServer)} of ${virtualServer}`;
    case 'deleteRealServer':
      return `delete real server ${printRealServer(write.realServer)} of ${virtualServer}`;
  }
}

/** A virtual server with its real servers. */
export interface PrintedVirtualServer {
  readonly virtualServer: VirtualServer;
  readonly realServers: readonly RealServer[];
}

/** As `ipvsadm -Sn` prints them: a line for each virtual server, then one for each of its real servers. */
export function printVirtualServers(virtualServers: readonly PrintedVirtualServer[]): string {
  return virtualServers
    .flatMap(({ virtualServer, realServers }) => [
      printAdd(virtualServer),
      ...realServers.map((realServer) => printAddReal(virtualServer, realServer)),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

const protocolOptions = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service' } as const;

const forwardingOptions = {
  masquerade: '-m',
  local: '-l',
  tunnel: '-i',
  direct: '-g',
  bypass: '-b',
} as const;

function printAdd(virtualServer: VirtualServer): string {
  const { flags, scheduler, timeout, persistenceEngine } = virtualServer;
  const words = [`-A ${printKey(virtualServer)} -s ${scheduler}`];
  if ((flags & IP_VS_SVC_F_PERSISTENT) !== 0)
    words.push(`-p ${timeout}`, ...printMask(virtualServer));
  if (persistenceEngine !== '') words.push(`--pe ${persistenceEngine}`);
  if ((flags & IP_VS_SVC_F_ONEPACKET) !== 0) words.push('-o');
  const named = schedulerFlags.filter(({ bit }) => (flags & bit) !== 0);
  if (named.length > 0) words.push(`-b ${named.map(({ name }) => name(scheduler)).join(',')}`);
  return words.join(' ');
}

const schedulerFlags = [
  { bit: IP_VS_SVC_F_SCHED1, name: (scheduler: string) => hashFlag(scheduler, 'fallback', 1) },
  { bit: IP_VS_SVC_F_SCHED2, name: (scheduler: string) => hashFlag(scheduler, 'port', 2) },
  { bit: IP_VS_SVC_F_SCHED3, name: () => 'flag-3' },
];

function hashFlag(scheduler: string, name: string, number: number): string {
  return scheduler === 'sh' || scheduler === 'mh' ? `${scheduler}-${name}` : `flag-${number}`;
}

function printMask({ address, prefixLength }: VirtualServer): string[] {
  if (prefixLength === addressBits(familyOf(address))) return [];
  if (familyOf(address) === 'IPv6') return [`-M ${prefixLength}`];
  return [
    `-M ${[0, 8, 16, 24].map((bit) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefixLength - bit)))).join('.')}`,
  ];
}

/** Without thresholds, as ipvsadm does not save them. */
function printAddReal(virtualServer: VirtualServer, realServer: RealServer): string {
  const { weight, forwarding } = realServer;
  const tunnel = forwarding === 'tunnel' ? ' --tun-type ipip' : '';
  const key = `-a ${printKey(virtualServer)} -r ${printRealServer(realServer)}`;
  return `${key} ${forwardingOptions[forwarding]} -w ${weight}${tunnel}`;
}

function printKey({ protocol, address, port }: VirtualServer): string {
  return `${protocolOptions[protocol]} ${printHostPort(address, port)}`;
}
