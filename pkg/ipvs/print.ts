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

/** What a write tries, for errors: `add real server 10.0.0.7:80 to 10.96.0.1:443/TCP`. */
export function printWrite(write: IpvsWrite): string {
  const server = printVirtualServer(write.server);
  switch (write.kind) {
    case 'addVirtualServer':
      return `add virtual server ${server}`;
    case 'updateVirtualServer':
      return `change virtual server ${server}`;
    case 'deleteVirtualServer':
      return `delete virtual server ${server}`;
    case 'addRealServer':
      return `add real server ${printRealServer(write.backend)} to ${server}`;
    case 'updateRealServer':
      return `change real server ${printRealServer(write.backend)} of ${server}`;
    case 'deleteRealServer':
      return `delete real server ${printRealServer(write.backend)} of ${server}`;
  }
}

/** A virtual server with its real servers. */
export interface PrintedServer {
  readonly server: VirtualServer;
  readonly backends: readonly RealServer[];
}

/** As `ipvsadm -Sn` prints them: a line for each virtual server, then one for each of its real servers. */
export function printServers(servers: readonly PrintedServer[]): string {
  return servers
    .flatMap(({ server, backends }) => [
      printAdd(server),
      ...backends.map((backend) => printAddReal(server, backend)),
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

function printAdd(server: VirtualServer): string {
  const { flags, scheduler, timeout, persistenceEngine } = server;
  const words = [`-A ${printKey(server)} -s ${scheduler}`];
  if ((flags & IP_VS_SVC_F_PERSISTENT) !== 0) words.push(`-p ${timeout}`, ...printMask(server));
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

/** Thresholds are not among what ipvsadm saves. */
function printAddReal(server: VirtualServer, backend: RealServer): string {
  const { weight, forwarding } = backend;
  const tunnel = forwarding === 'tunnel' ? ' --tun-type ipip' : '';
  const key = `-a ${printKey(server)} -r ${printRealServer(backend)}`;
  return `${key} ${forwardingOptions[forwarding]} -w ${weight}${tunnel}`;
}

function printKey({ protocol, address, port }: VirtualServer): string {
  return `${protocolOptions[protocol]} ${printHostPort(address, port)}`;
}
