import type { Ruleset } from '../../pkg/firewall/firewall.ts';
import { type Family, families, type IpAddress } from '../../pkg/ip/address.ts';
import type { Prefix } from '../../pkg/ip/prefix.ts';
import { type Protocol, protocols } from '../../pkg/ip/protocol.ts';
import type { Entry } from '../../pkg/ipset/ipset.ts';
import type { RealServer, VirtualServer } from '../../pkg/ipvs/ipvs.ts';
import type { RejectedLoadBalancer } from '../../pkg/proxy/desired/chain-options.ts';
import { rules } from '../../pkg/proxy/desired/chains.ts';
import type { SetId } from '../../pkg/proxy/desired/sets.ts';
import { ip, net } from './addresses.ts';
import { virtualServerOf } from './virtual-server.ts';

// Front ends of Services that clients outside use, with the sets, virtual servers and rules that the compatibility contract gives them:
// external addresses and those of load balancers, with and without `externalTrafficPolicy: Local` and source ranges.

/** What a front end is. */
export interface FrontEnd {
  readonly kind: 'external' | 'loadBalancer';
  readonly isLocal: boolean;
  /** Who may come: everybody, a network with the node in it, or one without. */
  readonly ranges: 'none' | 'with the node' | 'without the node';
  readonly addresses: Readonly<Record<Family, IpAddress>>;
}

/** In a family, what stands in the kernel for front ends with one real server. */
export interface FrontEndState {
  readonly ruleset: Ruleset;
  readonly entries: readonly { readonly set: SetId; readonly entry: Entry }[];
  readonly virtualServers: readonly {
    readonly virtualServer: VirtualServer;
    readonly realServer: RealServer;
  }[];
  readonly bound: readonly IpAddress[];
}

function frontEnd(number: number, over: Pick<FrontEnd, 'kind' | 'isLocal' | 'ranges'>): FrontEnd {
  const addresses = { IPv4: ip(`172.30.1.${number}`), IPv6: ip(`fd00:172:30::1:${number}`) };
  return { ...over, addresses };
}

/** One of each. */
export const frontEnds = {
  external: frontEnd(1, { kind: 'external', isLocal: false, ranges: 'none' }),
  externalLocal: frontEnd(2, { kind: 'external', isLocal: true, ranges: 'none' }),
  balanced: frontEnd(3, { kind: 'loadBalancer', isLocal: false, ranges: 'none' }),
  balancedLocal: frontEnd(4, { kind: 'loadBalancer', isLocal: true, ranges: 'none' }),
  ranged: frontEnd(5, { kind: 'loadBalancer', isLocal: false, ranges: 'with the node' }),
  rangedAway: frontEnd(6, { kind: 'loadBalancer', isLocal: false, ranges: 'without the node' }),
} as const;

/** Clients outside who are within the source ranges. */
const allowed = {
  IPv4: net('203.0.113.0/28'),
  IPv6: net('2001:db8:203:113::/124'),
} as const;
const nodes = { IPv4: net('192.168.0.0/24'), IPv6: net('fd00:192:168::/64') } as const;

/** The source ranges of a Service with such front ends, of both families. */
export function sourceRanges(ranges: FrontEnd['ranges']): readonly Prefix[] {
  if (ranges === 'none') return [];
  return families.flatMap((family) =>
    ranges === 'with the node' ? [allowed[family], nodes[family]] : [allowed[family]],
  );
}

const port = 80;

/** What stands in the kernel for {@link frontEnds}, whose real server is `pod` on port 8080. */
export function frontEndState(family: Family, pod: IpAddress): FrontEndState {
  const all = Object.values(frontEnds).flatMap((each) =>
    protocols.map((protocol) => ({ frontEnd: each, protocol, address: each.addresses[family] })),
  );
  const entries = all.flatMap((each) => entriesOf(each, family));
  const rejectedLoadBalancers: readonly RejectedLoadBalancer[] = all
    .filter((each) => each.frontEnd.ranges === 'without the node')
    .map(({ address, protocol }) => ({ address, protocol, port }));
  return {
    entries,
    ruleset: rules(family, {
      nonEmpty: new Set(entries.map(({ set }) => set)),
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      randomFully: true,
      rejectedLoadBalancers,
      localDetector: {
        kind: 'cidr',
        network: net(family === 'IPv4' ? '10.0.0.0/8' : 'fd00:10::/32'),
      },
    }),
    virtualServers: all.map(({ address, protocol }) => ({
      virtualServer: virtualServerOf(address, { protocol, port }),
      realServer: {
        address: pod,
        port: 8080,
        weight: 1,
        forwarding: 'masquerade',
        upperThreshold: 0,
        lowerThreshold: 0,
      },
    })),
    bound: Object.values(frontEnds).map(({ addresses }) => addresses[family]),
  };
}

/** The sets that the contract (4.3, 4.4) puts a front end into. */
function entriesOf(
  {
    frontEnd: { kind, isLocal, ranges },
    protocol,
    address,
  }: { frontEnd: FrontEnd; protocol: Protocol; address: IpAddress },
  family: Family,
): FrontEndState['entries'] {
  const pair: Entry = { type: 'hash:ip,port', ip: address, protocol, port };
  const bound = { set: 'ipvsIps', entry: { type: 'hash:ip', ip: address } } as const;
  if (kind === 'external')
    return [bound, { set: isLocal ? 'externalIpLocal' : 'externalIp', entry: pair }];
  const networks =
    ranges === 'with the node' ? [allowed[family], nodes[family]] : [allowed[family]];
  const ofRanges: FrontEndState['entries'] = [
    { set: 'loadBalancerFw', entry: pair },
    ...networks.map((network) => ({
      set: 'loadBalancerSourceCidr' as const,
      entry: { type: 'hash:ip,port,net', ip: address, protocol, port, net: network } as const,
    })),
    ...(ranges === 'with the node'
      ? [
          {
            set: 'loadBalancerSourceIp' as const,
            entry: { type: 'hash:ip,port,ip', ip: address, protocol, port, ip2: address } as const,
          },
        ]
      : []),
  ];
  return [
    bound,
    { set: 'loadBalancer', entry: pair },
    ...(isLocal ? [{ set: 'loadBalancerLocal' as const, entry: pair }] : []),
    ...(ranges === 'none' ? [] : ofRanges),
  ];
}
