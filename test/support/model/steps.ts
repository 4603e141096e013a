import fc from 'fast-check';
import type { IpAddress } from '../../../pkg/ip/address.ts';
import { packUid } from '../../../pkg/kube/objects/pod-uid.ts';
import type { Change, EndpointSlice, Node, Service } from '../../../pkg/kube/types.ts';
import { ip, net } from '../addresses.ts';
import { endpoint, node, service, slice } from '../objects.ts';
import type { World } from './expected-state.ts';

// Random steps in a small world, so that objects meet: Services of two namespaces on three cluster IPs, two load-balancer addresses and
// three external ones, which the node, a load balancer or a cluster IP have at times; three pods on two nodes and in two zones.

/** Something that happens to the cluster or to the node. */
export type Step =
  | { readonly kind: 'change'; readonly change: Change }
  /** An address comes onto the node's device, or goes. */
  | { readonly kind: 'nodeAddress'; readonly address: IpAddress; readonly isPresent: boolean };

const namespace = fc.constantFrom('shop', 'shop', 'spare');
const name = fc.constantFrom('a', 'b', 'c');
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP');
const policy = fc.constantFrom('Cluster', 'Cluster', 'Local');

/** Addresses that the node has at times; Services want them too. */
const roaming = [ip('203.0.113.5'), ip('fd00:203:113::5')] as const;

function some<T>(...values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant<T[]>([]) },
    { weight: 1, arbitrary: fc.subarray([...values], { minLength: 1, maxLength: 2 }) },
  );
}

const somePorts = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('', 'p', 'q'),
      protocol,
      port: fc.constantFrom(80, 81),
      nodePort: fc.constantFrom(0, 0, 30_080, 30_081),
    }),
    { minLength: 1, maxLength: 3, selector: (port) => port.name },
  )
  .map((ports) => {
    // As the API server has it: a port, and a node port, once for each protocol.
    const seen = new Set<string>();
    return ports.filter(({ protocol: proto, port, nodePort }) => {
      const keys = [`${proto} ${port}`, ...(nodePort === 0 ? [] : [`${proto} ${nodePort}`])];
      if (keys.some((key) => seen.has(key))) return false;
      for (const key of keys) seen.add(key);
      return true;
    });
  });

const aService: fc.Arbitrary<Service> = fc
  .record({
    namespace,
    name,
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'LoadBalancer', 'ExternalName'),
    created: fc.constantFrom(0, 1, 2),
    address: fc.integer({ min: 1, max: 3 }),
    stack: fc.constantFrom('none', 'IPv4', 'IPv4', 'IPv6', 'dual', 'dual'),
    ports: somePorts,
    affinitySeconds: fc.constantFrom(0, 0, 600),
    externalIPs: some(ip('172.30.0.1'), ip('203.0.113.9'), ...roaming),
    loadBalancerIPs: some(ip('203.0.113.9'), ip('fd00:203:113::9'), roaming[0]),
    sourceRanges: some(
      ...[net('0.0.0.0/0'), net('192.168.0.0/24'), net('203.0.113.7/32')],
      ...[net('::/0'), net('fd00:192:168::/64'), net('fd00:1::1/128')],
    ),
    externalTrafficPolicy: policy,
    internalTrafficPolicy: policy,
    healthCheckNodePort: fc.constantFrom(0, 32_000, 32_001),
    scheduler: fc.constantFrom('', '', 'lc', 'sh', 'mh', 'wrong'),
  })
  .map(({ address, stack, scheduler, ...rest }) => {
    const IPv4 = ip(`172.30.0.${address}`);
    const IPv6 = ip(`fd00:172:30::${address}`);
    const clusterIPs = { none: [], IPv4: [IPv4], IPv6: [IPv6], dual: [IPv6, IPv4] }[stack];
    const hasNodePorts = rest.type === 'NodePort' || rest.type === 'LoadBalancer';
    return service({
      ...rest,
      clusterIPs,
      ports: rest.ports.map((port) => (hasNodePorts ? port : { ...port, nodePort: 0 })),
      loadBalancerIPs: rest.type === 'LoadBalancer' ? rest.loadBalancerIPs : [],
      annotations: scheduler === '' ? {} : { scheduler },
    });
  });

const hints = fc.constantFrom<readonly string[]>([], [], ['here'], ['there'], ['here', 'there']);

const anEndpoint = (prefix: string) =>
  fc
    .record({
      pod: fc.integer({ min: 1, max: 3 }),
      nodeName: fc.constantFrom('here', 'there'),
      ready: fc.boolean(),
      serving: fc.boolean(),
      terminating: fc.boolean(),
      nodeHints: hints,
      zoneHints: fc.constantFrom<readonly string[]>([], ['z1'], ['z2'], ['z1', 'z2']),
      podUid: fc.constantFrom('', 'x', 'y', 'z').map(packUid),
    })
    .map(({ pod, ...over }) => endpoint(`${prefix}${pod}`, over));

const aSlice: fc.Arbitrary<EndpointSlice> = fc
  .constantFrom('10.0.0.', '10.0.0.', 'fd00:10::')
  .chain((prefix) =>
    fc.record({
      namespace,
      serviceName: name,
      number: fc.constantFrom(1, 2),
      family: fc.constant(prefix.includes(':') ? ('IPv6' as const) : ('IPv4' as const)),
      ports: fc.uniqueArray(
        fc.record({
          name: fc.constantFrom('', 'p', 'q'),
          protocol,
          port: fc.constantFrom(8080, 8081),
        }),
        { minLength: 1, maxLength: 4, selector: (port) => `${port.name} ${port.protocol}` },
      ),
      endpoints: fc.uniqueArray(anEndpoint(prefix), {
        maxLength: 3,
        selector: ({ address }) => address,
      }),
    }),
  )
  .map(({ number, endpoints, ...over }) =>
    slice(endpoints, { ...over, name: `${over.serviceName}-${over.family}-${number}` }),
  );

const aNode: fc.Arbitrary<Node> = fc
  .record({
    zone: fc.constantFrom('', 'z1', 'z2'),
    addresses: fc.constantFrom(
      [ip('192.168.0.10')],
      [ip('fd00:192:168::10'), ip('192.168.0.10')],
      [],
    ),
  })
  .map((over) => node(over));

const aDeletion: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ namespace, name }).map((object) => deletion('Service', object)),
  fc
    .record({
      namespace,
      name,
      family: fc.constantFrom('IPv4', 'IPv6'),
      number: fc.constantFrom(1, 2),
    })
    .map(({ family, number, ...object }) =>
      deletion('EndpointSlice', { ...object, name: `${object.name}-${family}-${number}` }),
    ),
);

/** A change that deletes an object. */
function deletion(
  kind: 'Service' | 'EndpointSlice',
  { namespace: space, name: of }: { namespace: string; name: string },
): Change {
  return { type: 'delete', kind, name: { namespace: space, name: of } };
}

const aChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: aService.map((object) => set('Service', object)) },
  { weight: 4, arbitrary: aSlice.map((object) => set('EndpointSlice', object)) },
  { weight: 2, arbitrary: aDeletion },
  { weight: 1, arbitrary: aNode.map((object) => set('Node', object)) },
);

function set<Kind extends 'Service' | 'EndpointSlice' | 'Node', T>(kind: Kind, object: T) {
  return { type: 'set', kind, object, problems: [] } as unknown as Change; // kind and object belong together
}

/** A random step. */
export const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: aChange.map((change): Step => ({ kind: 'change', change })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ address: fc.constantFrom(...roaming), isPresent: fc.boolean() })
      .map((over): Step => ({ kind: 'nodeAddress', ...over })),
  },
);

/** The world that steps lead to, on a node with some addresses. */
export class ModelWorld {
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #nodeAddresses: Set<IpAddress>;
  #node: Node | undefined;

  constructor(nodeAddresses: readonly IpAddress[]) {
    this.#nodeAddresses = new Set(nodeAddresses);
  }

  /** Takes a step. */
  take(step: Step): void {
    if (step.kind === 'nodeAddress') {
      if (step.isPresent) this.#nodeAddresses.add(step.address);
      else this.#nodeAddresses.delete(step.address);
    } else this.#change(step.change);
  }

  #change(change: Change): void {
    const key = ({ namespace: space, name: of }: { namespace: string; name: string }) =>
      `${space}/${of}`;
    if (change.type === 'delete' && change.kind === 'Service')
      this.#services.delete(key(change.name));
    else if (change.type === 'delete') this.#slices.delete(key(change.name));
    else if (change.type !== 'set') throw new Error('no step of a model');
    else if (change.kind === 'Service') this.#services.set(key(change.object), change.object);
    else if (change.kind === 'EndpointSlice') this.#slices.set(key(change.object), change.object);
    else this.#node = change.object;
  }

  /** Steps that delete every Service and slice, and take the roaming addresses from the node. */
  undoing(): readonly Step[] {
    const changes = [
      ...[...this.#services.values()].map((object) => deletion('Service', object)),
      ...[...this.#slices.values()].map((object) => deletion('EndpointSlice', object)),
    ];
    return [
      ...changes.map((change): Step => ({ kind: 'change', change })),
      ...roaming.map((address): Step => ({ kind: 'nodeAddress', address, isPresent: false })),
    ];
  }

  /** Everything as it is now. */
  get world(): World {
    return {
      services: [...this.#services.values()],
      slices: [...this.#slices.values()],
      nodeName: 'here',
      zone: this.#node?.zone ?? '',
      nodeIPs: this.#node?.addresses ?? [],
      nodeAddresses: [...this.#nodeAddresses],
    };
  }
}
