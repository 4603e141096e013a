import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseAddress } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';
import { readState } from '../support/kernel-state.ts';
import { ManifestFile } from '../support/manifests.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { bundled, Program } from '../support/program.ts';

// An anonymous dump of a node reproduces the node's kernel state on another one, but for the replaced names and addresses.

/** A dump, as far as the test reads it. */
interface Dump {
  readonly nodeName: string;
  readonly isAnonymous: boolean;
  readonly configuration: { readonly clusterCIDR: string };
  readonly objects: readonly unknown[];
  readonly node: {
    readonly addresses: readonly {
      readonly link: string;
      readonly address: string;
      readonly prefixLength: number;
    }[];
  };
}

const folder = mkdtempSync(join(tmpdir(), 'dump-'));
const manifests = new ManifestFile();
let nodes: readonly Namespace[] = [];

beforeEach(() => {
  nodes = [createNamespace(), createNamespace()];
});

afterEach(() => {
  for (const node of nodes) node.remove();
  manifests.remove();
  rmSync(folder, { recursive: true });
});

/** Adds addresses to the veth device of a node, with the length of their network. */
function addAddresses(node: Namespace, addresses: readonly string[]): void {
  node.run('ip', 'link', 'set', 'lo', 'up');
  node.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer');
  for (const address of addresses)
    node.run(
      ...['ip', 'addr', 'add', address, 'dev', 'eth0'],
      ...(address.includes(':') ? ['nodad'] : []),
    );
  node.run('ip', 'link', 'set', 'eth0', 'up');
}

const shop = { namespace: 'shop' };

/** The slice of a Service of the shop: one endpoint on this node, one on another, and one that is not ready. */
function shopSlice(name: string, addresses: readonly string[], addressType = 'IPv4'): KubeObject {
  return slice(name, [], {
    metadata: {
      name: `${name}-${addressType.toLowerCase()}`,
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType,
    ports: [{ name: 'http', port: 8080 }],
    endpoints: addresses.map((address, index) => ({
      addresses: [address],
      nodeName: index === 0 ? 'here' : 'worker-2',
      conditions: { ready: index < 2 },
    })),
  });
}

/** The addresses that a load balancer gave to Services. */
const ingresses = new Map([
  ['front', '198.51.100.20'],
  ['edge', '198.51.100.30'],
]);
const http = { name: 'http', port: 80, targetPort: 8080 };
const objects: readonly KubeObject[] = [
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'here' },
    status: { addresses: [{ type: 'InternalIP', address: '192.168.7.10' }] },
  },
  service(
    'catalog',
    {
      clusterIP: '172.30.0.10',
      clusterIPs: ['172.30.0.10', 'fd00:30::10'],
      ipFamilies: ['IPv4', 'IPv6'],
      ports: [http],
      sessionAffinity: 'ClientIP',
    },
    shop,
  ),
  shopSlice('catalog', ['10.0.1.1', '10.0.2.1', '10.0.2.2']),
  shopSlice('catalog', ['fd00:10:0:1::1', 'fd00:10:0:2::1'], 'IPv6'),
  service(
    'front',
    {
      type: 'LoadBalancer',
      clusterIP: '172.30.0.20',
      ports: [{ ...http, nodePort: 30_080 }],
      externalIPs: ['198.51.100.7'],
      loadBalancerSourceRanges: ['203.0.113.0/24', '198.18.0.0/15'],
    },
    shop,
  ),
  shopSlice('front', ['10.0.1.2', '10.0.2.3']),
  service(
    'edge',
    {
      type: 'LoadBalancer',
      clusterIP: '172.30.0.30',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 32_000,
      ports: [{ ...http, nodePort: 30_081 }],
    },
    shop,
  ),
  shopSlice('edge', ['10.0.1.3', '10.0.2.4']),
  service('empty', { clusterIP: '172.30.0.40', ports: [{ port: 53, protocol: 'UDP' }] }, shop),
].map((object) => {
  const ingress = ingresses.get(object.metadata.name ?? '');
  if (object.kind !== 'Service' || ingress === undefined) return object;
  return { ...object, status: { loadBalancer: { ingress: [{ ip: ingress }] } } };
});

/** Runs the program on a node until its first sync is over; then `work`. */
async function running(
  node: Namespace,
  flags: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const program = await Program.start(node, { flags });
  try {
    await program.said('first sync done');
    await work();
  } finally {
    await program.end('SIGTERM');
  }
}

async function dumped(node: Namespace, ...flags: readonly string[]): Promise<Dump> {
  const file = join(folder, 'node.json');
  const words = [process.execPath, await bundled(), 'dump', `--output=${file}`, ...flags];
  const cluster = ['--hostname-override=here', '--cluster-cidr=10.0.0.0/8,fd00:10::/32'];
  node.run(...(words as [string, ...string[]]), ...cluster, manifests.flag);
  return JSON.parse(readFileSync(file, 'utf8')) as Dump;
}

/** The addresses and networks of a dump in the order in which they stand there. */
function addressesOf(dump: Dump): readonly string[] {
  const texts: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === 'string') texts.push(...value.split(','));
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
  };
  walk([dump.objects, dump.configuration.clusterCIDR, dump.node.addresses]);
  return texts.filter((text) => (parseAddress(text) ?? parsePrefix(text)) !== undefined);
}

/** The state with every address and network replaced by that which the dump has in its place. */
function replaced(state: string, { plain, anonymous }: { plain: Dump; anonymous: Dump }): string {
  const others = addressesOf(anonymous);
  const all = addressesOf(plain);
  expect(others).toHaveLength(all.length);
  const replacements = new Map(all.map((address, index) => [address, others[index] ?? '']));
  const words = [...replacements.keys()]
    .toSorted((one, other) => other.length - one.length)
    .map((word) => word.replaceAll('.', '[.]'));
  const addresses = new RegExp(`(?<![\\w.:])(?:${words.join('|')})(?![\\w.])`, 'g');
  return state.replaceAll(addresses, (address) => replacements.get(address) ?? address);
}

/** A state in lines that say everything by themselves; rules stay in their order, and all else is sorted anew. */
function linesOf(state: string): readonly string[] {
  let set = '';
  const [others = '', ...rules] = state.split(/^(?=## iptables)/m);
  const lines = others.split('\n').map((line) => {
    if (!line.startsWith('  ')) set = line.split(' ')[0] ?? '';
    return line.startsWith('  ') ? `${set}${line}` : line;
  });
  return [...lines.toSorted(), ...rules];
}

test('an anonymous dump makes the same state elsewhere, with other addresses', async () => {
  const [node, elsewhere] = nodes as [Namespace, Namespace];
  addAddresses(node, ['192.168.7.10/24', '2001:db8:7::10/64']);
  manifests.write(objects);
  let was = '';
  let dumps: { readonly plain: Dump; readonly anonymous: Dump } | undefined;
  await running(node, [manifests.flag], async () => {
    const plain = await dumped(node);
    dumps = { plain, anonymous: await dumped(node, '--anonymize') };
    was = readState(node);
  });
  if (dumps === undefined) throw new Error('no dump');
  const { anonymous } = dumps;
  const own = anonymous.node.addresses.filter(
    ({ link, address }) => link === 'eth0' && !address.startsWith('fe80:'),
  );
  expect([anonymous.isAnonymous, own.length]).toEqual([true, 2]);
  addAddresses(
    elsewhere,
    own.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
  );
  const flags = [
    `--ipvs-manifests=${join(folder, 'node.json')}`,
    `--hostname-override=${anonymous.nodeName}`,
    `--cluster-cidr=${anonymous.configuration.clusterCIDR}`,
  ];
  await running(elsewhere, flags, async () => {
    const made = readState(elsewhere);
    expect(made).not.toContain('172.30.0.10');
    expect(linesOf(made)).toEqual(linesOf(replaced(was, dumps as NonNullable<typeof dumps>)));
    expect(made.split('\n').length).toBeGreaterThan(150);
  });
});
