import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelFollower } from '../support/kube/kernel-follower.ts';

// Objects that no API server should let in, and some that it does: each is named in the log with the field that is wrong, and
// counted; what of it can be used is, and every other Service works.

interface Bad {
  readonly name: string;
  readonly object: KubeObject;
  /** What is said of it: `field: message`. */
  readonly problems: string;
  /** Virtual servers and real servers that it leads to all the same. */
  readonly works?: readonly string[];
}

function service(name: string, spec: unknown, metadata: object = {}): KubeObject {
  const all = { name, namespace: 'default', ...metadata };
  return { apiVersion: 'v1', kind: 'Service', metadata: all, spec } as KubeObject; // wrong on purpose
}

/** A slice of the Service `good`, so that nothing but its own endpoints can go wrong. */
function slice(name: string, fields: object): KubeObject {
  const metadata = {
    name,
    namespace: 'default',
    labels: { 'kubernetes.io/service-name': 'good' },
  };
  const ports = [{ name: '', port: 8080, protocol: 'TCP' }];
  const all = { addressType: 'IPv4', ports, endpoints: [], ...fields };
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...all };
}

const good = [
  service('good', { clusterIP: '172.30.0.10', ports: [{ port: 80 }] }),
  slice('good-1', { endpoints: [{ addresses: ['10.0.0.1'] }] }),
];
const working = ['-A -t 172.30.0.10:80 -s rr', '-a -t 172.30.0.10:80 -r 10.0.0.1:8080 -m -w 1'];

const badServices: readonly Bad[] = [
  {
    name: 'an address that is none',
    object: service('address', { clusterIP: '172.30.0', ports: [{ port: 80 }] }),
    problems: 'spec.clusterIP: "172.30.0" is not an IP address',
  },
  {
    name: 'an address of another family than it says',
    object: service('family', {
      clusterIP: '172.30.0.20',
      clusterIPs: ['172.30.0.20'],
      ipFamilies: ['IPv6'],
      ports: [{ port: 80 }],
    }),
    problems: 'spec.clusterIPs[0]: "172.30.0.20" is not an IPv6 address',
  },
  {
    name: 'ports 0 and 70000 beside a good one',
    object: service('ports', {
      clusterIP: '172.30.0.21',
      ports: [
        { name: 'none', port: 0 },
        { name: 'web', port: 80 },
        { name: 'much', port: 70_000 },
      ],
    }),
    problems:
      'spec.ports[0].port: 0 is not between 1 and 65535; spec.ports[2].port: 70000 is not between 1 and 65535',
    works: ['-A -t 172.30.0.21:80 -s rr'],
  },
  {
    name: 'the same port and the same name twice',
    object: service('twice', {
      clusterIP: '172.30.0.22',
      ports: [
        { name: 'web', port: 80 },
        { name: 'other', port: 80 },
        { name: 'web', port: 81 },
      ],
    }),
    problems:
      'spec.ports[1]: port 80/TCP is already that of spec.ports[0]; spec.ports[2]: name "web"/TCP is already that of spec.ports[0]',
    works: ['-A -t 172.30.0.22:80 -s rr'],
  },
  {
    name: 'no port number, and a protocol that is none',
    object: service('number', {
      clusterIP: '172.30.0.23',
      ports: [{ name: 'a' }, { name: 'b', port: 80, protocol: 'ICMP' }],
    }),
    problems:
      'spec.ports[0].port: is missing; spec.ports[1].protocol: "ICMP" is none of TCP, UDP, SCTP',
  },
  {
    name: 'fields of wrong types',
    object: service('types', {
      clusterIP: '172.30.0.24',
      ports: [{ port: '80' }, 'http', { name: 'web', port: 81, nodePort: true }],
      sessionAffinity: 5,
    }),
    problems:
      'spec.ports[1]: is a string ("http"), not an object; spec.ports[0].port: is a string ("80"), not a number; ' +
      'spec.ports[2].nodePort: is a boolean, not a number; spec.sessionAffinity: is a number, not a string',
    works: ['-A -t 172.30.0.24:81 -s rr'],
  },
];

const badSlices: readonly Bad[] = [
  {
    name: 'addresses that are none, of the other family, or missing, beside a good one',
    object: slice('addresses', {
      endpoints: [
        { addresses: ['ten'] },
        { addresses: ['fd00:10::1'] },
        {},
        { addresses: ['10.0.0.2'] },
      ],
    }),
    problems:
      'endpoints[0].addresses[0]: "ten" is not an IPv4 address; endpoints[1].addresses[0]: "fd00:10::1" is not an IPv4 address; ' +
      'endpoints[2].addresses: holds no address',
    works: ['-a -t 172.30.0.10:80 -r 10.0.0.2:8080 -m -w 1'],
  },
  {
    name: 'a port that is none, and no word about the type of its addresses',
    object: slice('type', { addressType: undefined, endpoints: [{ addresses: ['10.0.0.3'] }] }),
    problems: 'addressType: is missing',
  },
  {
    name: 'port 70000',
    object: slice('port', {
      ports: [{ name: '', port: 70_000 }],
      endpoints: [{ addresses: ['10.0.0.4'] }],
    }),
    problems: 'ports[0].port: 70000 is not between 1 and 65535',
  },
  {
    name: 'conditions of wrong types, which count as unknown',
    object: slice('conditions', {
      endpoints: [{ addresses: ['10.0.0.5'], conditions: { ready: 'yes', serving: 1 } }],
    }),
    problems:
      'endpoints[0].conditions.ready: is a string ("yes"), not a boolean; endpoints[0].conditions.serving: is a number, not a boolean',
    works: ['-a -t 172.30.0.10:80 -r 10.0.0.5:8080 -m -w 1'],
  },
];

const bad = [...badServices, ...badSlices];

/** One that even the test API server does not let in. */
const worse: Bad = {
  name: 'no spec',
  object: service('spec', undefined),
  problems: 'spec: is missing',
};

/** Objects without a fault that are hard all the same. */
const hard = [
  service(
    'large',
    { clusterIP: '172.30.0.30', ports: [{ port: 80 }] },
    { annotations: { large: 'x'.repeat(1 << 20), 'ipvs.kube-proxy.io/note': 'y' } },
  ),
  service('good-again', { clusterIP: '172.30.0.10', ports: [{ port: 80 }] }),
];

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bad-objects-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

interface Way {
  readonly name: string;
  /** Follows some objects that come from there. */
  start(objects: readonly KubeObject[]): Promise<KernelFollower>;
}

const ways: readonly Way[] = [
  {
    name: 'files',
    async start(objects) {
      for (const [index, object] of objects.entries())
        writeFileSync(join(folder, `${index}.json`), JSON.stringify(object));
      return KernelFollower.ofManifests(folder);
    },
  },
  {
    name: 'one file',
    async start(items) {
      const file = join(folder, 'all.json');
      writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
      return KernelFollower.ofManifests(file);
    },
  },
];

describe.each(ways)('through $name', ({ start }) => {
  test('each bad object is named with its fields and counted, and all others work', async () => {
    const all = [...bad, worse];
    await using follower = await start([...all.map(({ object }) => object), ...hard, ...good]);
    await check(follower, all);
  });
});

test('of a folder, files that cannot be read are named with the place, and all others count', async () => {
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  for (const [index, object] of good.entries()) write(`${index}.json`, JSON.stringify(object));
  write('keys.yaml', 'apiVersion: v1\nkind: Service\nkind: Node\n');
  write('nameless.json', '{"apiVersion":"v1","kind":"Service","metadata":{},"spec":{}}');
  write('half.json', '{"apiVersion":"v1","kind":');
  await using follower = KernelFollower.ofManifests(folder);
  await follower.until(({ log }) => log.some((line) => line.includes('first sync done')));
  expect(follower.dump().split('\n')).toEqual(expect.arrayContaining(working));
  const said = follower.log.filter((line) => line.startsWith('error'));
  expect(said.map((line) => line.replaceAll(`${folder}/`, ''))).toEqual([
    expect.stringContaining('{"error":"half.json:1:27: '),
    expect.stringContaining('{"error":"keys.yaml:3:1: map keys must be unique'),
    expect.stringContaining('{"error":"nameless.json: document 1: a Service without metadata.name'),
  ]);
});

describe('through the API', () => {
  test('each bad object is named with its fields and counted, and all others work', async () => {
    await using server = await startApiServer({ validate: false });
    for (const object of [...bad.map(({ object }) => object), ...hard, ...good])
      server.create(object);
    await using follower = await KernelFollower.ofApi(server.kubeconfig());
    await check(follower, bad);
    for (const { object } of bad) server.delete(object);
    await expect
      .poll(() => follower.scrape('kubeproxy_ipvs_invalid_objects{'))
      .toEqual(['Service', 'EndpointSlice'].map(none));
  });
});

function none(kind: string): string {
  return `kubeproxy_ipvs_invalid_objects{kind="${kind}"} 0`;
}

async function check(follower: KernelFollower, all: readonly Bad[]): Promise<void> {
  const wanted = [
    ...working,
    '-A -t 172.30.0.30:80 -s rr',
    ...bad.flatMap(({ works = [] }) => works),
  ];
  await follower.until(({ log }) => log.some((line) => line.includes('first sync done')));
  const lines = follower.dump().split('\n');
  expect(lines).toEqual(expect.arrayContaining(wanted));
  expect(lines.filter((line) => /^-[Aa] -t /.test(line)).length).toBe(wanted.length);

  for (const { object, problems } of all) {
    const said = `error invalid ${object.kind} ${JSON.stringify({ object: `default/${object.metadata.name}`, problems })}`;
    expect(follower.log.filter((line) => line === said)).toEqual([said]);
  }
  expect(follower.log.filter((line) => line.startsWith('error')).length).toBe(all.length + 1);
  expect(follower.log.filter((line) => line.includes('two Services'))).toEqual([
    expect.stringMatching(/"winner":"default\/good(-again)?","loser":"default\/good(-again)?"/),
  ]);
  const metrics = await follower.scrape('kubeproxy_ipvs_');
  expect(metrics).toContain(
    `kubeproxy_ipvs_invalid_objects{kind="Service"} ${all.length - badSlices.length}`,
  );
  expect(metrics).toContain(
    `kubeproxy_ipvs_invalid_objects{kind="EndpointSlice"} ${badSlices.length}`,
  );
  expect(metrics).toContain('kubeproxy_ipvs_conflicts 1');
}
