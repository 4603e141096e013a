import { describe, expect, test } from 'vitest';
import { type Family, families, type IpAddress } from '../../pkg/ip/address.ts';
import { type Protocol, protocols } from '../../pkg/ip/protocol.ts';
import type { Change, Endpoint } from '../../pkg/kube/types.ts';
import type { RuleSettings } from '../../pkg/proxy/apply/rule-source.ts';
import type { Packet, PacketOrigin } from '../../pkg/trace/packet.ts';
import type { KernelState } from '../../pkg/trace/state.ts';
import { trace } from '../../pkg/trace/trace.ts';
import { ip, net } from '../support/addresses.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import { outcomeOf } from '../support/outcome.ts';
import {
  type Combination,
  combinations,
  dimensions,
  isAbout,
  packetRows,
} from '../support/packet-table.ts';
import { setNode, setService, setSlice } from '../support/proxier.ts';
import { stateOfObjects } from '../support/traced-objects.ts';

// docs/packets.md is complete, says each thing once, and is true of the state that a proxier makes, in both families and for every protocol.

const pods = {
  local: { IPv4: ip('10.0.1.1'), IPv6: ip('fd00:10:0:1::1') },
  remote: { IPv4: ip('10.0.2.1'), IPv6: ip('fd00:10:0:2::1') },
} as const;
type Pod = keyof typeof pods;

const ready = {};
const terminating = { ready: false, terminating: true };
const dead = { ready: false, serving: false };
const endpointsOf: Readonly<
  Record<Combination['endpoints'], Readonly<Partial<Record<Pod, Partial<Endpoint>>>>>
> = {
  both: { local: ready, remote: ready },
  remote: { local: dead, remote: ready },
  none: { local: dead, remote: dead },
  'local terminating': { local: terminating, remote: ready },
  'both terminating': { local: terminating, remote: terminating },
};

const clusterCIDR = {
  mode: 'ClusterCIDR',
  networks: [net('10.0.0.0/8'), net('fd00:10::/32')],
} as const;
const noDetector = { mode: 'ClusterCIDR', networks: [] } as const;
const settingsOf: Readonly<Record<Combination['detector'], Partial<RuleSettings>>> = {
  ClusterCIDR: { detectLocal: clusterCIDR },
  NodeCIDR: { detectLocal: { mode: 'NodeCIDR' } },
  BridgeInterface: { detectLocal: { mode: 'interface', name: 'cni0' } },
  InterfaceNamePrefix: { detectLocal: { mode: 'interface', name: 'v-+' } },
  'masquerade-all': { detectLocal: clusterCIDR, masqueradeAll: true },
  'pod networks': { detectLocal: noDetector },
  nothing: { detectLocal: noDetector },
};

/** Networks that all clients lie in, and one that none does. */
const networksOf: Readonly<Record<Combination['ranges'], readonly string[]>> = {
  none: [],
  in: ['10.0.0.0/8', '192.168.0.0/16', '203.0.113.0/24', 'fd00::/8', '2001:db8:203:113::/64'],
  out: ['198.51.100.0/24', '2001:db8:51::/64'],
};

const nodeAddresses = { IPv4: ip('192.168.0.10'), IPv6: ip('fd00:192:168::10') } as const;
const podCIDRs = [net('10.0.1.0/24'), net('fd00:10:0:1::/64')];

/** What a Service is told apart by; ranges count for the type LoadBalancer alone. */
function nameOf({ type, internal, external, endpoints, ranges }: Combination): string {
  const limit = type === 'LoadBalancer' ? ranges : 'none';
  return [type, internal, external, endpoints, limit].join('-').replaceAll(' ', '-').toLowerCase();
}

const numbers = new Map<string, number>();
/** One packet is enough to name a Service. */
const anyPacket = {
  vip: dimensions.vip[0],
  client: dimensions.client[0],
  detector: dimensions.detector[0],
};
const services = combinations(anyPacket).filter((one) => {
  const isNew = !numbers.has(nameOf(one));
  if (isNew) numbers.set(nameOf(one), numbers.size + 1);
  return isNew;
});

function address(block: number, { number, family }: { number: number; family: Family }): IpAddress {
  return ip(family === 'IPv4' ? `172.30.${block}.${number}` : `fd00:172:30::${block}:${number}`);
}

/** Where a front end of a combination's Service is. */
function destinationOf(one: Combination, family: Family): { destination: IpAddress; port: number } {
  const number = numbers.get(nameOf(one)) ?? 0;
  if (one.vip === 'Node ports')
    return { destination: nodeAddresses[family], port: 30_000 + number };
  const block = dimensions.vip.indexOf(one.vip);
  return { destination: address(block, { number, family }), port: 80 };
}

function objectsOf(one: Combination): readonly Change[] {
  const name = nameOf(one);
  const number = numbers.get(name) ?? 0;
  const addresses = (block: number) => families.map((family) => address(block, { number, family }));
  const nodePort = one.type === 'ClusterIP' ? 0 : 30_000 + number;
  const ports = protocols.map((protocol) => servicePort({ name: protocol, protocol, nodePort }));
  const targets = protocols.map((protocol) => ({ name: protocol, protocol, port: 8080 }));
  const made = Object.entries(endpointsOf[one.endpoints]) as [Pod, Partial<Endpoint>][];
  return [
    setService(
      service({
        name,
        ports,
        type: one.type,
        clusterIPs: addresses(0),
        externalIPs: addresses(1),
        loadBalancerIPs: one.type === 'LoadBalancer' ? addresses(2) : [],
        sourceRanges: networksOf[one.ranges].map(net),
        internalTrafficPolicy: one.internal,
        externalTrafficPolicy: one.external,
      }),
    ),
    ...families.map((family) =>
      setSlice(
        slice(
          made.map(([pod, over]) =>
            endpoint(pods[pod][family], {
              nodeName: pod === 'local' ? 'here' : 'elsewhere',
              ...over,
            }),
          ),
          { name: `${name}-${family}`, serviceName: name, family, ports: targets },
        ),
      ),
    ),
  ];
}

function stateFor(name: Combination['detector']): Promise<KernelState> {
  const here = node({
    addresses: Object.values(nodeAddresses),
    podCIDRs: name === 'nothing' ? [] : podCIDRs,
  });
  const ruleSettings = {
    masqueradeMark: 0x4000,
    masqueradeAll: false,
    detectLocal: clusterCIDR,
    ...settingsOf[name],
  };
  return stateOfObjects([setNode(here), ...services.flatMap(objectsOf)], { ruleSettings });
}

const outside = { kind: 'device', name: 'eth0' } as const;

/** Who sends a combination's packet, and from where. */
function senderOf(
  { client: who, detector: name }: Combination,
  { family, destination, state }: { family: Family; destination: IpAddress; state: KernelState },
): { readonly source: IpAddress; readonly origin: PacketOrigin } {
  const pick = (IPv4: string, IPv6: string) => ip(family === 'IPv4' ? IPv4 : IPv6);
  switch (who) {
    case 'pod': {
      const source = pick('10.0.1.2', 'fd00:10:0:1::2');
      const bridged = { kind: 'device', name: 'cni0', bridgePort: 'v-pod' } as const;
      const origin = { kind: 'device', name: 'v-pod' } as const;
      return { source, origin: name === 'BridgeInterface' ? bridged : origin };
    }
    case 'node': {
      const isOwn = state.addresses.has(destination);
      return { source: isOwn ? destination : nodeAddresses[family], origin: { kind: 'node' } };
    }
    case 'host network':
      return { source: nodeAddresses[family], origin: { kind: 'node' } };
    case 'pod elsewhere':
      return { source: pick('10.0.2.9', 'fd00:10:0:2::9'), origin: outside };
    case 'outside':
      return { source: pick('203.0.113.7', '2001:db8:203:113::7'), origin: outside };
  }
}

const podNames = new Map<string, string>(
  Object.entries(pods).flatMap(([name, addresses]) =>
    Object.values(addresses).map((one) => [one, name] as const),
  ),
);

/** What a trace says, in the words of the table. */
function traced(state: KernelState, packet: Packet): string {
  const text = outcomeOf(trace(state, packet).verdict, (one) => podNames.get(one) ?? one);
  const parts = text
    .split(', ')
    .map((part) => part.replace('as itself', 'as client').replace('as the node', 'as node'));
  if (parts.every((part) => part.endsWith(' dropped'))) return 'dropped';
  if (text === 'forwarded' || text === 'node') return 'absent';
  const [one = '', other] = parts;
  if (other === undefined) return one;
  const seen = one.slice(one.indexOf(' as '));
  return parts.join() === `local${seen},remote${seen}` ? `both${seen}` : text;
}

const rows = packetRows();

test('the table can be read by a person', () => {
  expect(rows.length).toBeGreaterThan(50);
  expect(rows.length).toBeLessThanOrEqual(300);
});

describe.each(dimensions.detector)('with %s', (name) => {
  const all = combinations({ detector: name });

  test('exactly one row is about each combination', () => {
    const wrong = all.flatMap((one) => {
      const lines = rows.filter((row) => isAbout(row, one)).map(({ line }) => line);
      return lines.length === 1 ? [] : [`${Object.values(one).join(', ')}: lines ${lines.join()}`];
    });
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  test('every row is true', async () => {
    const state = await stateFor(name);
    const seen = new Map<string, string>();
    const outcome = (one: Combination, kind: { family: Family; protocol: Protocol }) => {
      const { family, protocol } = kind;
      const to = destinationOf(one, family);
      const key = [to.destination, to.port, protocol, one.client].join(' ');
      const known = seen.get(key);
      if (known !== undefined) return known;
      const from = senderOf(one, { family, destination: to.destination, state });
      const found = traced(state, { protocol, ...to, ...from });
      seen.set(key, found);
      return found;
    };
    const wrong: string[] = [];
    for (const one of all) {
      const row = rows.find((candidate) => isAbout(candidate, one));
      for (const family of families)
        for (const protocol of protocols) {
          const found = outcome(one, { family, protocol });
          if (found !== row?.outcome)
            wrong.push(
              `line ${row?.line} says ${row?.outcome}, the trace ${found}: ${Object.values(one).join(', ')}, ${protocol} ${family}`,
            );
        }
    }
    expect(wrong.slice(0, 20)).toEqual([]);
    // Each kind of packet there is was traced: nothing was left out because it looked like another one.
    expect(seen.size).toBeGreaterThan(10_000);
  });
});
