import { familyOf, type IpAddress, parseAddress } from '../../pkg/ip/address.ts';
import { type Protocol } from '../../pkg/ip/protocol.ts';
import type { Entry } from '../../pkg/ipset/ipset.ts';
import {
  type Forwarding,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  type RealServer,
  type VirtualServer,
} from '../../pkg/ipvs/ipvs.ts';
import type { LinkAddress } from '../../pkg/links/links.ts';
import {
  kernelState,
  type ListedState,
  type TracedSet,
  type TracedVirtualServer,
} from '../../pkg/trace/state.ts';
import { ip } from './addresses.ts';
import type { PrintedState } from './kernel-state.ts';

// A node's state as values, from what other people's tools print of it.

/** The state that tools printed; throws at a line that is not understood. */
export function savedState({ IPv4, IPv6, sets, ipvs, addresses }: PrintedState): ListedState {
  return kernelState({
    rules: { IPv4: [IPv4], IPv6: [IPv6] },
    sets: savedSets(sets),
    virtualServers: savedVirtualServers(ipvs),
    addresses: savedAddresses(addresses),
  });
}

/** The sets of `ipset save`. */
function savedSets(text: string): ReadonlyMap<string, TracedSet> {
  const all = lines(text).map((line) => line.split(' '));
  const elements = Map.groupBy(
    all.filter(([command]) => command === 'add'),
    ([, name = '']) => name,
  );
  const created = all.filter(([command]) => command === 'create');
  return new Map(
    created.map(([, name = '', type = '', ...header]) => [
      name,
      savedSet(type, { header, elements: elements.get(name) ?? [] }),
    ]),
  );
}

const types: readonly Entry['type'][] = [
  ...(['hash:ip', 'hash:ip,port', 'hash:ip,port,ip', 'hash:ip,port,net'] as const),
  'bitmap:port',
];

/** Elements are kept as they were printed, which is what their keys are. */
function savedSet(
  typeName: string,
  { header, elements }: { header: Words; elements: readonly Words[] },
): TracedSet {
  const type = types.find((known) => known === typeName);
  const hasOptions = elements.some(({ length }) => length > 3);
  if (type === undefined || hasOptions) return 'unreadable';
  const family = header[header.indexOf('family') + 1] === 'inet6' ? 'IPv6' : 'IPv4';
  const keys = elements.map(([, , element = '']) => element);
  return {
    type,
    family: type === 'bitmap:port' ? undefined : family,
    keys: new Set(keys),
    prefixLengths: new Set(type === 'hash:ip,port,net' ? keys.map(prefixLength) : []),
  };
}

/** Of a network without a length it is that of a whole address. */
function prefixLength(element: string): number {
  const [address = '', length] = (element.split(',')[2] ?? '').split('/');
  return Number(length ?? (address.includes(':') ? 128 : 32));
}

type Words = readonly string[];

/** The virtual servers of `ipvsadm -Sn`. */
export function savedVirtualServers(text: string): readonly TracedVirtualServer[] {
  const virtualServers: { virtualServer: VirtualServer; realServers: RealServer[] }[] = [];
  for (const line of lines(text)) {
    const words = line.split(' ');
    const key = savedKey(words);
    if (words[0] === '-A')
      virtualServers.push({ virtualServer: savedVirtualServer(words, key), realServers: [] });
    else {
      const known = virtualServers.find(({ virtualServer }) =>
        Object.entries(key).every(
          ([name, value]) => virtualServer[name as keyof typeof key] === value,
        ),
      );
      known?.realServers.push(savedRealServer(words));
    }
  }
  return virtualServers;
}

type Key = Pick<VirtualServer, 'address' | 'protocol' | 'port'>;

const protocolOptions: Readonly<Record<string, Protocol>> = {
  '-t': 'TCP',
  '-u': 'UDP',
  '--sctp-service': 'SCTP',
};

function savedKey([, option = '', target = '']: Words): Key {
  const protocol = protocolOptions[option];
  if (protocol === undefined) throw new Error(`no protocol: ${option} ${target}`);
  return { protocol, ...hostPort(target) };
}

function savedVirtualServer(words: Words, key: Key): VirtualServer {
  const after = (option: string) => words[words.indexOf(option) + 1] ?? '';
  const has = (option: string) => words.includes(option);
  const scheduling = has('-b') ? after('-b').split(',') : [];
  const flags =
    (has('-p') ? IP_VS_SVC_F_PERSISTENT : 0) |
    (has('-o') ? IP_VS_SVC_F_ONEPACKET : 0) |
    (scheduling.some((flag) => /fallback|flag-1/.test(flag)) ? IP_VS_SVC_F_SCHED1 : 0) |
    (scheduling.some((flag) => /port|flag-2/.test(flag)) ? IP_VS_SVC_F_SCHED2 : 0);
  return {
    ...key,
    scheduler: after('-s'),
    flags,
    timeout: has('-p') ? Number(after('-p')) : 0,
    prefixLength: familyOf(key.address) === 'IPv4' ? 32 : 128,
    persistenceEngine: has('--pe') ? after('--pe') : '',
  };
}

const forwardings: Readonly<Record<string, Forwarding>> = {
  '-m': 'masquerade',
  '-g': 'direct',
  '-i': 'tunnel',
};

function savedRealServer(words: Words): RealServer {
  const after = (option: string) => words[words.indexOf(option) + 1] ?? '';
  const forwarding = words.map((word) => forwardings[word]).find((found) => found !== undefined);
  return {
    ...hostPort(after('-r')),
    weight: Number(after('-w')),
    forwarding: forwarding ?? 'local',
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}

/** `10.0.0.7:80` or `[fd00::7]:80`. */
function hostPort(text: string): { address: IpAddress; port: number } {
  const colon = text.lastIndexOf(':');
  return {
    address: ip(text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')),
    port: Number(text.slice(colon + 1)),
  };
}

/** The addresses of `ip -o addr`. */
function savedAddresses(text: string): readonly LinkAddress[] {
  return lines(text).flatMap((line) => {
    const [, link, prefixed] = /^\d+: (\S+)\s+inet6? (\S+)/.exec(line) ?? [];
    const [host = '', length] = prefixed?.split('/') ?? [];
    const address = parseAddress(host);
    return link === undefined || address === undefined
      ? []
      : [{ link, address, prefixLength: Number(length) }];
  });
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
