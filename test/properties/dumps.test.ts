import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressReplacer } from '../../pkg/dump/anonymous/addresses.ts';
import { anonymizer } from '../../pkg/dump/anonymous/anonymize.ts';
import type { NodeDump } from '../../pkg/dump/dump.ts';
import { readNode } from '../../pkg/dump/read-node.ts';
import { asItIs, type Replace } from '../../pkg/dump/replace.ts';
import { dumpText } from '../../pkg/dump/write.ts';
import { addressFromBytes, type IpAddress } from '../../pkg/ip/address.ts';
import { contains, type Prefix, prefix, printPrefix } from '../../pkg/ip/prefix.ts';
import { specialAddress } from '../../pkg/ip/special.ts';
import { Reducer } from '../../pkg/kube/objects/reduce.ts';
import type { Change, EndpointSlice, Service } from '../../pkg/kube/types.ts';
import { ip, net } from '../support/addresses.ts';
import { ExplainedNode } from '../support/explained-node.ts';
import { endpoint, node, service, servicePort, slice } from '../support/objects.ts';
import { FakeKernel, Stand, setNode, setService, setSlice } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';
import { aChange } from './changes.ts';

// An anonymous dump has no name and no address of the node that it is of, and is of a node that works as that one does.

const aKey = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** An address that a packet may be routed to. */
const anAddress = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    // Near each other, so that they are in networks together.
    fc.uint8Array({ minLength: 2, maxLength: 2 }).map((end) => Uint8Array.of(10, 0, ...end)),
  )
  .map(addressFromBytes)
  .filter(
    (address) => specialAddress(address) === undefined && !/^(?:::|0\.|2[2-5]\d\.)/.test(address),
  );

const aNetwork = fc
  .tuple(anAddress, fc.nat(128))
  .map(([address, length]) => prefix(address, address.includes(':') ? length : length % 33));

describe('the replacement of addresses', () => {
  test('networks contain the same addresses, and different addresses stay different', () => {
    fc.assert(
      fc.property(aKey, anAddress, anAddress, fc.nat(128), (key, one, other, bits) => {
        const replacer = new AddressReplacer(key);
        const length = one.includes(':') ? bits : bits % 33;
        const network = prefix(one, length);
        const replaced = replacer.network(network);
        expect(replaced.length).toBe(length);
        expect(contains(replaced, replacer.address(one))).toBe(true);
        expect(contains(replaced, replacer.address(other))).toBe(contains(network, other));
        expect(replacer.address(one) === replacer.address(other)).toBe(one === other);
        expect(specialAddress(replacer.address(one))).toBeUndefined();
      }),
    );
  });

  test('what contains a network contains its replacement', () => {
    fc.assert(
      fc.property(aKey, aNetwork, aNetwork, (key, one, other) => {
        const replacer = new AddressReplacer(key);
        const isInside = (outer: Prefix, inner: Prefix) =>
          outer.length <= inner.length && contains(outer, inner.address);
        expect(isInside(replacer.network(one), replacer.network(other))).toBe(isInside(one, other));
      }),
    );
  });
});

/** A name that is part of no other word. */
const aName = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { minLength: 6, maxLength: 8 })
  .map((letters) => `zq${letters.join('')}`);

const someNames = fc.uniqueArray(aName, { minLength: 10, maxLength: 10 });
const someAddresses = fc.uniqueArray(anAddress, { minLength: 6, maxLength: 6 });

interface World {
  readonly names: readonly string[];
  readonly addresses: readonly IpAddress[];
}

/** A dump in which each name and address stands wherever one may. */
async function dumpOf({ names, addresses }: World): Promise<NodeDump> {
  const [namespace = '', name = '', other = '', nodeName = '', zone = ''] = names;
  const [port = '', device = '', set = '', chain = '', host = ''] = names.slice(5);
  const [clusterIP, pod, client, outside, ...nodes] = addresses;
  if (clusterIP === undefined || pod === undefined || client === undefined || outside === undefined)
    throw new Error('too few addresses');
  const explained = await ExplainedNode.with({ services: [], slices: [], node: node() });
  const { kernel } = explained;
  kernel.links.addLink(device, 'veth');
  kernel.links.addAddress({ link: device, address: outside, prefixLength: 24 });
  kernel.ipsets.create({ name: set, type: 'bitmap:port', firstPort: 1, lastPort: 9 });
  kernel.ipvs.write([
    {
      kind: 'addVirtualServer',
      virtualServer: {
        address: clusterIP,
        protocol: 'TCP',
        port: 80,
        scheduler: 'rr',
        flags: 0,
        timeout: 0,
        prefixLength: clusterIP.includes(':') ? 128 : 32,
        persistenceEngine: '',
      },
    },
  ]);
  kernel.nftTables.others.push(`inet ${chain}`);
  kernel.connections.insert({
    protocol: 'TCP',
    client,
    clientPort: 4_000,
    address: clusterIP,
    port: 80,
    realAddress: pod,
    realPort: 8080,
    state: 'ESTABLISHED',
  });
  const { parts } = await readNode(explained.dumpSources, { asked: addresses });
  const lines = [
    '*filter',
    `:${chain} - [0:0]`,
    `-A INPUT -s ${client}/${client.includes(':') ? 128 : 32} -i ${device} -m comment --comment "${namespace}/${name}:${port} cluster IP" -j ${chain}`,
    `-A INPUT -m comment --comment "owned by ${other}" -m set --match-set ${set} src -j LOG --log-prefix "${host}: "`,
  ];
  return {
    nodeName,
    taken: 0,
    isAnonymous: true,
    versions: { program: 'v1', runtime: 'node' },
    configuration: {
      clusterCIDR: `${outside},${client}`,
      detectLocal: { bridgeInterface: device },
    },
    objects: {
      services: [
        service({
          namespace,
          name,
          uid: `${other}-uid`,
          clusterIPs: [clusterIP],
          ports: [servicePort({ name: port })],
          externalIPs: [outside],
          sourceRanges: [{ address: client, length: client.includes(':') ? 128 : 32 }],
          annotations: { scheduler: other },
        }),
      ],
      slices: [
        slice([endpoint(pod, { nodeName, zoneHints: [zone], nodeHints: [nodeName] })], {
          namespace,
          serviceName: name,
          name: `${name}-abc`,
        }),
      ],
      node: node({ name: nodeName, zone, addresses: nodes }),
      serviceRanges: nodes.map((address) => `${address}/${address.includes(':') ? 128 : 32}`),
    },
    node: { ...parts, rules: [{ family: 'IPv4', flavour: 'nft', lines }] },
    metrics: [
      `a{namespace="${namespace}",service_name="${name}"} 1`,
      `b{service="${namespace}/${name}:${port}",host="${host}.acme.example.org:443"} 1`,
    ],
    log: [
      `I1121 kube-proxy] "synced" service="${namespace}/${name}" took=${other}-uid`,
      `E1121 dial tcp [${clusterIP}]:443 from ${pod}:80 on ${nodeName}.${host}.example.org: /home/${other}/x`,
    ],
    unread: [{ part: 'objects', reason: `no route from ${client} to ${outside} by ${device}` }],
  };
}

function textOf(dump: NodeDump, replace: Replace): string {
  return [...dumpText(dump, replace)].join('');
}

/** Keys that differ, and are the same for the same seed. */
function keysOf(seed: number): () => Uint8Array {
  let count = 0;
  return () => createHash('sha256').update(`${seed} ${count++}`).digest();
}

describe('an anonymous dump', () => {
  test('has none of the names and addresses, wherever they stood', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ names: someNames, addresses: someAddresses }),
        fc.nat(),
        async (world, seed) => {
          const dump = await dumpOf(world);
          const before = textOf(dump, asItIs);
          const after = textOf(dump, anonymizer(dump, keysOf(seed)));
          for (const name of world.names) {
            expect(before).toContain(name);
            expect(after).not.toContain(name);
          }
          for (const address of world.addresses) {
            const alone = new RegExp(
              `(?<![\\w.:])${address.replaceAll('.', '\\.')}(?![\\w.:]*[\\w])`,
            );
            expect(before).toMatch(new RegExp(address));
            expect(after).not.toMatch(alone);
          }
          // The same names and addresses are replaced by the same.
          expect(textOf(dump, anonymizer(dump, keysOf(seed)))).toBe(after);
        },
      ),
      { numRuns: 20 },
    );
  });
});

/** Changes of Services with more addresses, and networks of clients. */
const aLoadBalancer = fc
  .record({ address: fc.integer({ min: 1, max: 3 }), range: fc.constantFrom(0, 16, 24, 32) })
  .map(({ address, range }) =>
    setService(
      service({
        name: 'lb',
        type: 'LoadBalancer',
        clusterIPs: [ip(`172.30.1.${address}`)],
        ports: [servicePort({ nodePort: 30_090 })],
        externalIPs: [ip(`203.0.113.${address}`)],
        loadBalancerIPs: [ip(`203.0.113.10${address}`)],
        sourceRanges: [prefix(ip('198.51.100.7'), range)],
        created: 7,
      }),
    ),
  );

/** The objects that are left after some changes. */
function objectsAfter(changes: readonly Change[]) {
  const services = new Map<string, Service>();
  const slices = new Map<string, EndpointSlice>();
  for (const change of changes) {
    if (change.type === 'set' && change.kind === 'Service')
      services.set(change.object.name, change.object);
    if (change.type === 'set' && change.kind === 'EndpointSlice')
      slices.set(change.object.name, change.object);
    if (change.type === 'delete') {
      const gone = change.kind === 'Service' ? services : slices;
      gone.delete(change.name.name);
    }
  }
  const later = (one: Service) => ({ ...one, created: Date.UTC(2025, 0, 1) + one.created });
  return { services: [...services.values()].map(later), slices: [...slices.values()] };
}

/** Carries out objects on an empty kernel whose node has the replaced addresses. */
async function stateOf(changes: readonly Change[], replace: Replace): Promise<string> {
  const kernel = new FakeKernel();
  for (const { link, address, prefixLength } of await kernel.links.addresses()) {
    kernel.links.removeAddress({ link, address });
    kernel.links.addAddress({ link, address: replace.address(address), prefixLength });
  }
  const { detectLocal } = proxierSettings.ruleSettings;
  if (detectLocal.mode !== 'ClusterCIDR') throw new Error('another detector');
  const stand = new Stand({
    kernel,
    nodeName: replace.name('node', 'here'),
    ruleSettings: {
      ...proxierSettings.ruleSettings,
      detectLocal: {
        ...detectLocal,
        networks: detectLocal.networks.map((network) => replace.network(network)),
      },
    },
  });
  stand.report(...changes);
  await stand.sync();
  await stand.stop();
  return sorted(kernel.dump());
}

function sorted(text: string): string {
  return text.split('\n').toSorted().join('\n');
}

test('the objects of an anonymous dump make the state of the node, but for the replaced addresses', async () => {
  const someChanges = fc.array(fc.oneof(aChange, aLoadBalancer), { minLength: 4, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(someChanges, fc.nat(), async (changes, seed) => {
      const here = node({ podCIDRs: [net('10.0.0.0/24')] });
      const { services, slices } = objectsAfter(changes);
      const whole = [setNode(here), ...services.map(setService), ...slices.map(setSlice)];
      const original = await stateOf(whole, asItIs);
      const dump: NodeDump = {
        nodeName: 'here',
        taken: 0,
        isAnonymous: true,
        versions: { program: 'v1', runtime: 'node' },
        configuration: { clusterCIDR: '10.0.0.0/8,fd00:10::/32', text: original },
        objects: { services, slices, node: here, serviceRanges: [] },
        node: {},
        metrics: undefined,
        log: undefined,
        unread: [],
      };
      const replace = anonymizer(dump, keysOf(seed));
      const { objects } = JSON.parse(textOf(dump, replace)) as {
        objects: readonly { readonly kind: 'Node' | 'Service' | 'EndpointSlice' }[];
      };
      const reducer = new Reducer();
      const anonymous = objects.map((raw) => reducer.change(raw.kind, raw));
      for (const change of anonymous) expect(change).toMatchObject({ type: 'set', problems: [] });
      expect(await stateOf(anonymous, replace)).toBe(sorted(replace.addresses(original)));
      expect(printPrefix(replace.network(net('10.0.0.0/8')))).not.toBe('10.0.0.0/8');
    }),
    { numRuns: 30 },
  );
});
