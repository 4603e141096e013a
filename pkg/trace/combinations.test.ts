import { beforeAll, describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { endpoint, node, service, servicePort, slice } from '../../test/support/objects.ts';
import { outcomeOf } from '../../test/support/outcome.ts';
import { setNode, setService, setSlice } from '../../test/support/proxier.ts';
import { proxierSettings } from '../../test/support/proxier-settings.ts';
import { stateOfObjects } from '../../test/support/traced-objects.ts';
import { type Family, families, type IpAddress } from '../ip/address.ts';
import { type Protocol, protocols } from '../ip/protocol.ts';
import type { Change, Endpoint, TrafficPolicy } from '../kube/types.ts';
import type { RuleSettings } from '../proxy/apply/rule-source.ts';
import type { ProxierSettings } from '../proxy/options.ts';
import type { PacketOrigin } from './packet.ts';
import type { KernelState } from './state.ts';
import { trace } from './trace.ts';

// What becomes of packets in every combination of Service, policies, readiness, client and rule settings. The expectations are
// written down here from the compatibility contract: which endpoints a policy uses, and whose address they see.

/** The node has two endpoints' worth of pods: one of its own, one elsewhere. */
const pods = {
  local: { IPv4: ip('10.0.1.1'), IPv6: ip('fd00:10:0:1::1') },
  distant: { IPv4: ip('10.0.2.1'), IPv6: ip('fd00:10:0:2::1') },
} as const;

type Pod = keyof typeof pods;

const ready = {};
const unready = { ready: false, serving: false };
/** A pod that goes, and still answers. */
const terminating = { ready: false, terminating: true };

/** How the endpoints are, and which of them each policy uses; none where connections are refused. */
const readiness: Readonly<
  Record<
    string,
    {
      readonly endpoints: Readonly<Partial<Record<Pod, Partial<Endpoint>>>>;
      readonly cluster: readonly Pod[];
      readonly local: readonly Pod[];
      /** `externalTrafficPolicy: Local`: pods and this node still get an answer where it has no endpoint, and strangers get none. */
      readonly external: readonly Pod[];
    }
  >
> = {
  'both ready': {
    endpoints: { local: ready, distant: ready },
    cluster: ['local', 'distant'],
    local: ['local'],
    external: ['local'],
  },
  'the local one not ready': {
    endpoints: { local: unready, distant: ready },
    cluster: ['distant'],
    local: [],
    external: ['distant'],
  },
  'the local one terminating': {
    endpoints: { local: terminating, distant: ready },
    cluster: ['distant'],
    local: ['local'],
    external: ['local'],
  },
  'both terminating': {
    endpoints: { local: terminating, distant: terminating },
    cluster: ['local', 'distant'],
    local: ['local'],
    external: ['local'],
  },
  'none here': {
    endpoints: { distant: ready },
    cluster: ['distant'],
    local: [],
    external: ['distant'],
  },
  'none ready': {
    endpoints: { local: unready, distant: unready },
    cluster: [],
    local: [],
    external: [],
  },
  none: { endpoints: {}, cluster: [], local: [], external: [] },
};

/** Who connects. */
type Client = 'a pod' | 'the endpoint itself' | 'the node' | 'a pod elsewhere' | 'outside';

const clients: readonly Client[] = [
  ...(['a pod', 'the endpoint itself', 'the node'] as const),
  ...(['a pod elsewhere', 'outside'] as const),
];

const nodeAddresses = { IPv4: ip('192.168.0.10'), IPv6: ip('fd00:192:168::10') } as const;

/** Where a client's packets come from. A process of the node has the address that it connects to, or the one that the route names. */
function sender(
  client: Client,
  { family, destination, mode }: { family: Family; destination: IpAddress; mode: Mode },
): { readonly source: IpAddress; readonly origin: PacketOrigin } {
  const isIPv4 = family === 'IPv4';
  const outside = { kind: 'device', name: 'eth0' } as const;
  switch (client) {
    case 'a pod':
      return {
        source: ip(isIPv4 ? '10.0.1.2' : 'fd00:10:0:1::2'),
        origin: podOrigin('v-pod', mode),
      };
    case 'the endpoint itself':
      return { source: pods.local[family], origin: podOrigin('v-web', mode) };
    case 'the node':
      return {
        source: mode.vipBinding === undefined ? destination : nodeAddresses[family],
        origin: { kind: 'node' },
      };
    case 'a pod elsewhere':
      return { source: ip(isIPv4 ? '10.0.2.9' : 'fd00:10:0:2::9'), origin: outside };
    case 'outside':
      return { source: ip(isIPv4 ? '203.0.113.7' : '2001:db8:203:113::7'), origin: outside };
  }
}

function podOrigin(device: string, { isBridged = false }: Mode): PacketOrigin {
  return isBridged
    ? { kind: 'device', name: 'cni0', bridgePort: device }
    : { kind: 'device', name: device };
}

interface Mode {
  readonly name: string;
  readonly settings: Partial<RuleSettings>;
  /** Whose packets to a cluster IP are masqueraded. */
  readonly masqueraded: readonly Client[];
  /** Who gets nothing where only endpoints elsewhere are left with `externalTrafficPolicy: Local`. */
  readonly strangers: readonly Client[];
  /** Whether the Node has pod networks; it has unless this says otherwise. */
  readonly hasPodCIDRs?: boolean;
  readonly isBridged?: boolean;
  /** How VIPs are bound, if not by addresses. */
  readonly vipBinding?: ProxierSettings['vipBinding'];
}

const clusterCIDR = {
  mode: 'ClusterCIDR',
  networks: [net('10.0.0.0/8'), net('fd00:10::/32')],
} as const;
const notOfNode = ['a pod elsewhere', 'outside'] as const;
const foreigners = ['the node', ...notOfNode] as const;

const modes: readonly Mode[] = [
  {
    name: 'ClusterCIDR',
    settings: { detectLocal: clusterCIDR },
    masqueraded: ['the node', 'outside'],
    strangers: ['outside'],
  },
  {
    name: 'NodeCIDR',
    settings: { detectLocal: { mode: 'NodeCIDR' } },
    masqueraded: foreigners,
    strangers: notOfNode,
  },
  {
    name: 'BridgeInterface',
    settings: { detectLocal: { mode: 'interface', name: 'cni0' } },
    masqueraded: foreigners,
    strangers: notOfNode,
    isBridged: true,
  },
  {
    name: 'InterfaceNamePrefix',
    settings: { detectLocal: { mode: 'interface', name: 'v-+' } },
    masqueraded: foreigners,
    strangers: notOfNode,
  },
  {
    name: 'masquerade-all',
    settings: { detectLocal: clusterCIDR, masqueradeAll: true },
    masqueraded: clients,
    strangers: ['outside'],
  },
  {
    name: 'no detector',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: [] } },
    // The node's own processes have the cluster IP as their source.
    masqueraded: ['the node'],
    // The Node's own pod networks take the place of a detector.
    strangers: notOfNode,
  },
  {
    name: 'neither detector nor pod networks',
    settings: { detectLocal: { mode: 'ClusterCIDR', networks: [] } },
    masqueraded: ['the node'],
    strangers: [],
    hasPodCIDRs: false,
  },
  ...[
    { name: 'VIPs by a route each', ranges: [] },
    {
      name: 'VIPs by the routes of ranges',
      ranges: [net('172.30.0.0/16'), net('fd00:172:30::/112')],
    },
  ].map(
    ({ name, ranges }): Mode => ({
      name,
      settings: { detectLocal: clusterCIDR },
      masqueraded: ['the node', 'outside'],
      strangers: ['outside'],
      vipBinding: { mode: 'route', ranges, podNetworks: clusterCIDR.networks },
    }),
  ),
];

/** A Service in one combination of policies and readiness, with addresses of its own. */
interface Case {
  readonly name: string;
  readonly number: number;
  readonly state: keyof typeof readiness;
  readonly internal: TrafficPolicy;
  readonly external: TrafficPolicy;
}

const policies: readonly TrafficPolicy[] = ['Cluster', 'Local'];

const cases: readonly Case[] = Object.keys(readiness)
  .flatMap((state) =>
    policies.flatMap((internal) => policies.map((external) => ({ state, internal, external }))),
  )
  .map((made, index) => ({ ...made, number: index + 1, name: `service-${index + 1}` }));

function clusterIP({ number }: Case, family: Family): IpAddress {
  return ip(family === 'IPv4' ? `172.30.0.${number}` : `fd00:172:30::${number}`);
}

function nodePort({ number }: Case): number {
  return 30_000 + number;
}

function objectsOf(made: Case): readonly Change[] {
  const { name, state, internal, external } = made;
  const ports = protocols.map((protocol) =>
    servicePort({ name: protocol.toLowerCase(), protocol, nodePort: nodePort(made) }),
  );
  const endpoints = Object.entries(readiness[state]?.endpoints ?? {}) as [Pod, Partial<Endpoint>][];
  return [
    setService(
      service({
        name,
        ports,
        type: 'NodePort',
        clusterIPs: families.map((family) => clusterIP(made, family)),
        internalTrafficPolicy: internal,
        externalTrafficPolicy: external,
      }),
    ),
    ...families.map((family) =>
      setSlice(
        slice(
          endpoints.map(([pod, over]) =>
            endpoint(pods[pod][family], {
              nodeName: pod === 'local' ? 'here' : 'elsewhere',
              ...over,
            }),
          ),
          {
            name: `${name}-${family.toLowerCase()}`,
            serviceName: name,
            family,
            ports: protocols.map((protocol) => ({
              name: protocol.toLowerCase(),
              protocol,
              port: 8080,
            })),
          },
        ),
      ),
    ),
  ];
}

const podCIDRs = [net('10.0.1.0/24'), net('fd00:10:0:1::/64')];

function stateFor({
  settings,
  hasPodCIDRs = true,
  vipBinding = proxierSettings.vipBinding,
}: Mode): Promise<KernelState> {
  const here = node({ podCIDRs: hasPodCIDRs ? podCIDRs : [] });
  return stateOfObjects([setNode(here), ...cases.flatMap(objectsOf)], {
    vipBinding,
    ruleSettings: {
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      detectLocal: clusterCIDR,
      ...settings,
    },
  });
}

/** The pod that has an address. */
function podAt(address: IpAddress): string {
  const names = Object.keys(pods) as Pod[];
  return names.find((name) => Object.values(pods[name]).includes(address)) ?? address;
}

/** A pod that reaches itself would answer itself directly: it is masqueraded in any case. */
function expected(
  chosen: readonly Pod[],
  { client, isMasqueraded }: { client: Client; isMasqueraded: boolean },
): string {
  if (chosen.length === 0) return 'refused';
  return chosen
    .map((pod) => {
      const isHairpin = client === 'the endpoint itself' && pod === 'local';
      return `${pod} ${isMasqueraded || isHairpin ? 'as the node' : 'as itself'}`;
    })
    .toSorted()
    .join(', ');
}

const kinds = families.flatMap((family) => protocols.map((protocol) => ({ family, protocol })));

/** Each case in both families, and those of ready endpoints with every protocol. */
const combinations = cases.flatMap((made) => {
  const isEveryKind = made.state === 'both ready';
  return kinds
    .filter(({ protocol }) => isEveryKind || protocol === 'TCP')
    .map((kind) => ({ made, ...kind }));
});

function title({ made, family, protocol }: (typeof combinations)[number]): string {
  const { state, internal, external } = made;
  return `${protocol} ${family}, endpoints ${state}, internal ${internal}, external ${external}`;
}

describe.each(modes)('$name', (mode) => {
  let state: KernelState;

  beforeAll(async () => {
    state = await stateFor(mode);
  });

  function outcomeFor(
    client: Client,
    target: { destination: IpAddress; port: number; protocol: Protocol; family: Family },
  ): string {
    const { protocol, destination, port, family } = target;
    const from = sender(client, { family, destination, mode });
    return outcomeOf(trace(state, { protocol, destination, port, ...from }).verdict, podAt);
  }

  /** What every combination comes to, by its name. */
  function each(of: (combination: (typeof combinations)[number]) => string) {
    return Object.fromEntries(
      combinations.map((combination) => [title(combination), of(combination)]),
    );
  }

  test.each(clients)('%s connects to cluster IPs', (client) => {
    const isMasqueraded = mode.masqueraded.includes(client);
    expect(
      each(({ made, family, protocol }) =>
        outcomeFor(client, { destination: clusterIP(made, family), port: 80, protocol, family }),
      ),
    ).toEqual(
      each(({ made }) => {
        const { cluster = [], local = [] } = readiness[made.state] ?? {};
        return expected(made.internal === 'Local' ? local : cluster, { client, isMasqueraded });
      }),
    );
  });

  test.each(clients)('%s connects to node ports', (client) => {
    expect(
      each(({ made, family, protocol }) =>
        outcomeFor(client, {
          destination: nodeAddresses[family],
          port: nodePort(made),
          protocol,
          family,
        }),
      ),
    ).toEqual(
      each(({ made }) => {
        const { cluster = [], local = [], external = [] } = readiness[made.state] ?? {};
        // The policy Local keeps the client's address; without it everybody's is hidden, so that answers come back this way.
        if (made.external === 'Cluster') return expected(cluster, { client, isMasqueraded: true });
        const isFallback = local.length === 0 && external.length > 0;
        if (isFallback && mode.strangers.includes(client)) return 'dropped';
        return expected(external, { client, isMasqueraded: isFallback });
      }),
    );
  });

  test.each(clients)('%s connects to a port that no Service has', (client) => {
    const [made] = cases;
    if (made === undefined) throw new Error('no case');
    const ports = [22, nodePort(made)];
    for (const { family, protocol } of kinds) {
      const outcomes = (destination: IpAddress, tried: readonly number[]) =>
        tried.map((port) => outcomeFor(client, { destination, port, protocol, family }));
      // Whatever listens there on the node must not answer on a Service's address.
      expect(outcomes(clusterIP(made, family), ports)).toEqual(['rejected', 'rejected']);
      expect(outcomes(nodeAddresses[family], [22, 80])).toEqual(['node', 'node']);
    }
  });
});
