import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ip, net } from '../../test/support/addresses.ts';
import { ExplainedNode } from '../../test/support/explained-node.ts';
import { endpoint, node, service, slice } from '../../test/support/objects.ts';
import { KernelError } from '../errno/errno.ts';
import { packUid } from '../kube/objects/pod-uid.ts';
import { Reducer } from '../kube/objects/reduce.ts';
import type { EndpointSlice, Node, Service } from '../kube/types.ts';
import { unknownPod } from '../proxy/desired/pod-identity.ts';
import type { NodeDump } from './dump.ts';
import { DumpError } from './dump-error.ts';
import { objectLines } from './object-forms.ts';
import { sourcesOf } from './opened-sources.ts';
import { openDump, parseDump } from './read.ts';
import { readNode } from './read-node.ts';
import { asItIs } from './replace.ts';
import { chunks, dumpText } from './write.ts';

// What is written is read again as what it was, and nothing else is read.

const folder = mkdtempSync(join(tmpdir(), 'dump-'));
afterAll(() => rmSync(folder, { recursive: true }));

const full = service({
  type: 'LoadBalancer',
  uid: '0a000000-0000-4000-8000-000000000001',
  created: Date.UTC(2025, 0, 1),
  clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')],
  ports: [
    { name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080 },
    { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
  ],
  affinitySeconds: 60,
  externalIPs: [ip('203.0.113.7')],
  loadBalancerIPs: [ip('203.0.113.8')],
  sourceRanges: [net('203.0.113.0/24'), net('2001:db8::/32')],
  externalTrafficPolicy: 'Local',
  internalTrafficPolicy: 'Cluster',
  healthCheckNodePort: 32_000,
  annotations: { 'drain-timeout': '5m', scheduler: 'sh' },
});

const fullSlice = slice(
  [
    endpoint('10.0.1.4', {
      nodeName: 'here',
      podUid: packUid('abc'),
      zoneHints: ['zone-a'],
      nodeHints: ['here'],
    }),
    endpoint('10.0.2.4', { ready: false, terminating: true, podUid: unknownPod }),
  ],
  {
    ports: [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: 'dns', protocol: 'UDP', port: 5353 },
    ],
    triggerTime: Date.UTC(2025, 1, 2),
  },
);

const here = node({ zone: 'zone-a', podCIDRs: [net('10.0.1.0/24')], isEligible: false });

let explained: ExplainedNode;
let text: string;
/** The lines of the text, of which a test changes one. */
let dumped: NodeDump;

beforeAll(async () => {
  explained = await ExplainedNode.with({
    services: [full, service({ name: 'none', clusterIPs: [] })],
    slices: [fullSlice],
    node: here,
  });
  const { conntrack, connections, nftTables, ipsets } = explained.kernel;
  conntrack.insert({
    protocol: 'UDP',
    original: {
      source: ip('10.0.1.9'),
      destination: ip('172.30.0.1'),
      sourcePort: 5_000,
      destinationPort: 53,
    },
    reply: {
      source: ip('10.0.2.4'),
      destination: ip('10.0.1.9'),
      sourcePort: 5353,
      destinationPort: 5_000,
    },
    zone: 0,
    mark: 0x4000,
    status: 8,
    tcpState: undefined,
  });
  connections.insert({
    protocol: 'TCP',
    client: ip('10.0.1.9'),
    clientPort: 4_000,
    address: ip('172.30.0.1'),
    port: 80,
    realAddress: ip('10.0.1.4'),
    realPort: 8080,
    state: 'ESTABLISHED',
  });
  nftTables.addTable({ family: 'IPv4', name: 'kube-proxy' });
  nftTables.others.push('inet firewalld');
  ipsets.create({ name: 'foreign', type: 'bitmap:port', firstPort: 1, lastPort: 100 });
  ipsets.write([{ kind: 'addEntry', set: 'foreign', entry: { type: 'bitmap:port', port: 7 } }]);
  const { parts, unread } = await readNode(explained.dumpSources, { asked: [ip('203.0.113.9')] });
  dumped = {
    nodeName: 'here',
    taken: Date.UTC(2026, 1, 3),
    isAnonymous: false,
    versions: { program: 'v1.37.0+ipvs.1', runtime: 'node v24.1.0' },
    configuration: { kind: 'KubeProxyConfiguration', ipvs: { scheduler: 'rr' } },
    objects: {
      services: [full],
      slices: [fullSlice],
      node: here,
      serviceRanges: ['172.30.0.0/16'],
    },
    node: parts,
    metrics: ['a 1'],
    log: ['I1121 started'],
    unread,
  };
  text = textOf(dumped);
});

function textOf(dump: NodeDump): string {
  return [...dumpText(dump, asItIs)].join('');
}

test('everything of the node is read', () => {
  expect(dumped.unread).toEqual([]);
});

test('a set that another program destroys meanwhile is left out, and the others are read', async () => {
  const { ipsets } = sourcesOf(parseDump(text, 'x.json'));
  if (ipsets === undefined) throw new Error('the dump has sets');
  const listed = await ipsets.sets();
  const [gone] = listed;
  let isGone = false;
  const sources = {
    ...sourcesOf(parseDump(text, 'x.json')),
    ipsets: {
      ...ipsets,
      sets: async () => listed.filter((status) => !isGone || status !== gone),
      entries: async (name: string) => {
        if (name !== gone?.header.name) return await ipsets.entries(name);
        isGone = true;
        throw new KernelError(`list set ${name}`, 'ENOENT');
      },
    },
  };
  const { parts, unread } = await readNode(sources, { asked: [] });
  expect(unread).toEqual([]);
  expect(parts.sets?.map(({ header }) => header.name)).toEqual(
    listed.slice(1).map(({ header }) => header.name),
  );
});

test('what is written is read again', () => {
  const { objects: _, ...rest } = dumped;
  expect(parseDump(text, 'x.json')).toEqual({ ...rest, file: 'x.json', hasObjects: true });
});

test('a node that was opened from a dump is that node', async () => {
  const sources = sourcesOf(parseDump(text, 'x.json'));
  const again = await readNode(sources, { asked: [ip('203.0.113.9')] });
  expect(again).toEqual({ parts: dumped.node, unread: [] });
});

test('objects are manifests that are reduced to themselves', () => {
  const reducer = new Reducer();
  const objects = [...objectLines(dumped.objects ?? expect.unreachable(), asItIs)].map(
    (line) => JSON.parse(line) as { kind: 'Node' | 'Service' | 'EndpointSlice' | 'ServiceCIDR' },
  );
  const found = objects.flatMap(({ kind, ...raw }) => {
    const change = kind === 'ServiceCIDR' ? undefined : reducer.change(kind, raw);
    return change?.type === 'set' ? [[change.object, change.problems]] : [];
  });
  const plain = (object: Service | EndpointSlice | Node) =>
    'endpoints' in object ? { ...object, endpoints: object.endpoints.map(plainEndpoint) } : object;
  expect(found.map(([object]) => plain(object as Service))).toEqual([here, full, fullSlice]);
  expect(found.map(([, problems]) => problems)).toEqual([[], [], []]);
});

/** An endpoint with its traits as its own properties. */
function plainEndpoint(one: EndpointSlice['endpoints'][number]) {
  const { address, nodeName, ready, serving, terminating, zoneHints, nodeHints } = one;
  const { podUid, slice: name } = one;
  return {
    address,
    nodeName,
    ready,
    serving,
    terminating,
    zoneHints,
    nodeHints,
    podUid,
    slice: name,
  };
}

test('chunks are the same text, and none is much larger than it should be', () => {
  const pieces = Array.from({ length: 10_000 }, (_, index) => `${index} `.repeat(20));
  const joined = [...chunks(pieces)];
  expect(joined.join('')).toBe(pieces.join(''));
  expect(Math.max(...joined.map(({ length }) => length))).toBeLessThan(70_000);
  expect(joined.length).toBeLessThan(40);
});

describe('what a dump does not have', () => {
  const without = (part: keyof NodeDump['node']) => {
    const { [part]: _, ...parts } = dumped.node;
    const unread = [{ part, reason: 'it failed' }];
    return sourcesOf(parseDump(textOf({ ...dumped, node: parts, unread }), 'x.json'));
  };

  test.each([
    ['ipvs', (of: ReturnType<typeof without>) => of.ipvs?.virtualServers()],
    ['sets', (of: ReturnType<typeof without>) => of.ipsets?.sets()],
    ['rules', (of: ReturnType<typeof without>) => of.rules.read()],
    [
      'conntrack',
      (of: ReturnType<typeof without>) => of.conntrack?.dump({ family: 'IPv4' }, () => {}),
    ],
    ['addresses', (of: ReturnType<typeof without>) => of.links.addresses()],
  ] as const)('%s fails when it is asked for', async (part, ask) => {
    await expect(async () => ask(without(part))).rejects.toThrow(
      new DumpError(`x.json does not have ${part}: it failed`),
    );
  });

  test('a setting that was not dumped is not one that the kernel does not have', () => {
    const { sysctl } = sourcesOf(parseDump(text, 'x.json'));
    expect(sysctl.read('net/ipv4/vs/run_estimation')).toBeUndefined();
    expect(() => sysctl.read('net/ipv4/made/up')).toThrow('x.json does not have net/ipv4/made/up');
  });

  test('a set that is not there is ENOENT, as in the kernel', async () => {
    const { ipsets } = sourcesOf(parseDump(text, 'x.json'));
    await expect(ipsets?.entries('none')).rejects.toThrow(
      new KernelError('list set none', 'ENOENT'),
    );
  });

  test('flows beyond the first ones', async () => {
    const conntrack = { isWhole: false, isFiltering: true, flows: [] };
    const cut = textOf({ ...dumped, node: { ...dumped.node, conntrack } });
    const sources = sourcesOf(parseDump(cut, 'x.json'));
    await expect(sources.conntrack?.dump({ family: 'IPv4' }, () => {})).rejects.toThrow(
      'the dump has only the first 0 flows',
    );
  });
});

describe('what is no dump is refused, with the file and the field', () => {
  const changed = (change: (dump: Record<string, never>) => void) => {
    const dump = JSON.parse(text) as Record<string, never>;
    change(dump);
    return JSON.stringify(dump);
  };
  type Loose = Record<string, unknown> & { node: Record<string, never[]> };
  const loose = (change: (dump: Loose) => void) =>
    changed((dump) => change(dump as unknown as Loose));

  test.each([
    ['no JSON', () => '{', /^x\.json: is no JSON: /],
    ['a list', () => '[]', 'x.json: must be an object, not a list'],
    [
      'something else',
      () => '{"kind":"Service"}',
      'x.json: is no dump of a node: its kind is not NodeDump',
    ],
    [
      'of another version',
      () => loose((dump) => void (dump['apiVersion'] = 'v9')),
      'x.json: apiVersion: only ipvs.kube-proxy.io/v1 is read, not "v9"',
    ],
    [
      'without a name',
      () => loose((dump) => void (dump['nodeName'] = '')),
      'x.json: nodeName: must be a name',
    ],
    [
      'without a time',
      () => loose((dump) => void (dump['taken'] = 7)),
      'x.json: taken: must be a time',
    ],
    [
      'without the kernel',
      () => loose((dump) => delete (dump as Record<string, unknown>)['node']),
      'x.json: node: must be an object, not missing',
    ],
    [
      'a port',
      () =>
        loose(({ node: { ipvs } }) =>
          Object.assign(get(ipvs, 'virtualServers', 0), { port: 70_000 }),
        ),
      'x.json: node.ipvs.virtualServers[0].port: must be a whole number from 0 to 65535, not 70000',
    ],
    [
      'an address',
      () =>
        loose(({ node: { addresses } }) => Object.assign(get(addresses, 0), { address: '10.0.0' })),
      'x.json: node.addresses[0].address: must be an IP address, not "10.0.0"',
    ],
    [
      'a kind of entry',
      () =>
        loose(({ node: { sets } }) => Object.assign(get(sets, 0, 'header'), { type: 'hash:mac' })),
      'x.json: node.sets[0].header.type: must be one of hash:ip, hash:ip,port, hash:ip,port,ip, hash:ip,port,net, bitmap:port, other, not "hash:mac"',
    ],
    [
      'a long text',
      () => loose((dump) => void (dump['log'] = ['x'.repeat(65_537)])),
      /^x\.json: log\[0\]: must be a text of at most 65536 characters, not "x{59}…$/,
    ],
  ])('%s', (_, broken, reason) => {
    expect(() => parseDump(broken(), 'x.json')).toThrow(reason);
  });

  test('a file that is not there, or too large', async () => {
    const file = join(folder, 'x.json');
    await expect(openDump(file)).rejects.toThrow(`${file}: ENOENT`);
    writeFileSync(file, text);
    expect((await openDump(file)).nodeName).toBe('here');
    truncateSync(file, 256 * 1024 * 1024 + 1);
    await expect(openDump(file)).rejects.toThrow('is larger than 268435456 bytes');
  });

  test('whatever stands in the place of a value, it is read or refused', () => {
    const lines = text.split('\n');
    const junk = fc.constantFrom(
      'null',
      '7',
      '-1',
      '1e99',
      '"x"',
      '[]',
      '{}',
      '[[]]',
      '{"kind":"x"}',
      'true',
    );
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(), junk, (at, which, value) => {
        const line = lines[at] ?? '';
        const values = [...line.matchAll(/"[^"]*"(?!:)|\d+|null|true|false/g)];
        const place = values[which % Math.max(values.length, 1)];
        if (place === undefined) return;
        const changedLine =
          line.slice(0, place.index) + value + line.slice(place.index + place[0].length);
        try {
          parseDump(lines.with(at, changedLine).join('\n'), 'x.json');
        } catch (error) {
          expect(error).toBeInstanceOf(DumpError);
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** A member deep inside of a JSON value. */
function get(value: unknown, ...keys: readonly (string | number)[]): object {
  return keys.reduce(
    (inside, key) => (inside as Record<string | number, unknown>)[key],
    value,
  ) as object;
}
