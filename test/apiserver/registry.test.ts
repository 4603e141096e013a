import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../../pkg/ip/prefix.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { Allocator } from './allocation.ts';
import { type Json, type KubeObject, recordAt, recordsAt, textAt } from './objects.ts';
import { Registry } from './registry.ts';
import { resourceOfKind } from './resources.ts';
import { service, slice } from './samples.ts';
import { ApiError } from './status.ts';
import { objectOf, Store } from './store.ts';

function setUp(ranges: readonly string[] = ['172.30.0.0/16', 'fd00:172:30::/112']): Registry {
  const store = new Store({ historyLimit: 100 });
  const clusterIPs = ranges.map((text) => parsePrefix(text)!);
  const allocator = new Allocator(
    { clusterIPs, nodePorts: { first: 30_000, last: 30_003 } },
    store,
  );
  return new Registry({ store, allocator, clock: manualClock() });
}

function create(registry: Registry, object: KubeObject): KubeObject {
  return objectOf(registry.create(object));
}

function update(registry: Registry, object: KubeObject): KubeObject {
  return objectOf(registry.update(object));
}

function specOf(object: KubeObject): Json {
  return recordAt(object, 'spec');
}

function errorOf(action: () => unknown): ApiError {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('what a Service gets', () => {
  it('everything that a server fills in', () => {
    const created = create(setUp(), service('web', { type: 'NodePort' }));
    expect(created.metadata).toMatchObject({
      name: 'web',
      namespace: 'default',
      resourceVersion: '3',
      uid: expect.any(String),
    });
    expect(created['status']).toEqual({ loadBalancer: {} });
    expect(created['spec']).toEqual({
      type: 'NodePort',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
      clusterIP: '172.30.0.2',
      clusterIPs: ['172.30.0.2'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80, nodePort: 30_000 }],
    });
  });

  it.each<[string, Json, Json]>([
    [
      'both families if it prefers',
      { ipFamilyPolicy: 'PreferDualStack' },
      { clusterIPs: ['172.30.0.2', 'fd00:172:30::2'], ipFamilies: ['IPv4', 'IPv6'] },
    ],
    [
      'the families in its order',
      { ipFamilies: ['IPv6', 'IPv4'] },
      { clusterIP: 'fd00:172:30::2', ipFamilyPolicy: 'RequireDualStack' },
    ],
    [
      'the one family it names',
      { ipFamilies: ['IPv6'] },
      { clusterIPs: ['fd00:172:30::2'], ipFamilyPolicy: 'SingleStack' },
    ],
    [
      'the address it asks for',
      { clusterIP: '172.30.9.9' },
      { clusterIPs: ['172.30.9.9'], ipFamilies: ['IPv4'] },
    ],
    [
      'no address if headless',
      { clusterIP: 'None' },
      { clusterIPs: ['None'], ipFamilies: ['IPv4'] },
    ],
    [
      'a timeout with affinity',
      { sessionAffinity: 'ClientIP' },
      { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } } },
    ],
    [
      'the node port it asks for',
      { type: 'NodePort', ports: [{ port: 1, nodePort: 30_002 }] },
      { ports: [{ port: 1, nodePort: 30_002, protocol: 'TCP', targetPort: 1 }] },
    ],
    [
      'a health check port',
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
      { healthCheckNodePort: 30_001 },
    ],
  ])('%s', (_, asked, given) => {
    expect(specOf(create(setUp(), service('web', asked)))).toMatchObject(given);
  });

  it('nothing for an external name', () => {
    const spec = specOf(
      create(setUp(), service('web', { type: 'ExternalName', externalName: 'example.com' })),
    );
    expect(spec).not.toHaveProperty('clusterIP');
  });

  it('one family of a cluster with one range, though it prefers two', () => {
    const asked = { ipFamilyPolicy: 'PreferDualStack' };
    expect(specOf(create(setUp(['172.30.0.0/16']), service('web', asked)))).toMatchObject({
      ipFamilies: ['IPv4'],
    });
  });

  it('addresses and ports that are free again when their Service is gone', () => {
    const registry = setUp();
    create(
      registry,
      service('one', {
        clusterIP: '172.30.0.9',
        type: 'NodePort',
        ports: [{ port: 1, nodePort: 30_001 }],
      }),
    );
    const other = service('two', {
      clusterIP: '172.30.0.9',
      type: 'NodePort',
      ports: [{ port: 1, nodePort: 30_001 }],
    });
    expect(errorOf(() => create(registry, other)).fields.details?.['causes']).toMatchObject([
      { field: 'spec.clusterIPs' },
      { field: 'spec.ports[0].nodePort' },
    ]);
    registry.delete(resourceOfKind('Service')!, { namespace: 'default', name: 'one' });
    expect(specOf(create(registry, other))).toMatchObject({ clusterIP: '172.30.0.9' });
  });
});

describe('what a replaced Service keeps', () => {
  it('its addresses and node ports, without naming them', () => {
    const registry = setUp();
    const before = specOf(create(registry, service('web', { type: 'NodePort' })));
    const after = specOf(
      update(
        registry,
        service('web', { type: 'NodePort', ports: [{ port: 80, targetPort: 8080 }] }),
      ),
    );
    expect(after).toMatchObject({
      clusterIP: before['clusterIP'],
      ports: [{ nodePort: 30_000, targetPort: 8080 }],
    });
  });

  it('loses its node ports when it becomes ClusterIP, and its address when it becomes a name', () => {
    const registry = setUp();
    const created = create(registry, service('web', { type: 'NodePort' }));
    const plain = update(registry, { ...created, spec: { ...specOf(created), type: 'ClusterIP' } });
    expect(specOf(plain)).not.toHaveProperty('ports.0.nodePort');
    expect(specOf(plain)).not.toHaveProperty('externalTrafficPolicy');
    const named = update(registry, {
      ...plain,
      spec: { ...specOf(plain), type: 'ExternalName', externalName: 'a.b' },
    });
    expect(specOf(named)).not.toHaveProperty('clusterIP');
  });

  it('gets a second address when it wants two families', () => {
    const registry = setUp();
    const created = create(registry, service('web'));
    const after = update(registry, {
      ...created,
      spec: { ...specOf(created), ipFamilyPolicy: 'PreferDualStack' },
    });
    expect(specOf(after)).toMatchObject({ clusterIPs: ['172.30.0.2', 'fd00:172:30::2'] });
  });
});

describe('what is refused', () => {
  it.each<[string, KubeObject, string[]]>([
    ['no ports', service('web', { ports: [] }), ['spec.ports']],
    [
      'port 70000',
      service('web', { ports: [{ port: 70_000, targetPort: 1 }] }),
      ['spec.ports[0].port'],
    ],
    ['port 0', service('web', { ports: [{ port: 0, targetPort: 1 }] }), ['spec.ports[0].port']],
    [
      'two unnamed ports',
      service('web', { ports: [{ port: 1 }, { port: 2 }] }),
      ['spec.ports[0].name', 'spec.ports[1].name'],
    ],
    [
      'one name twice',
      service('web', {
        ports: [
          { name: 'a', port: 1 },
          { name: 'a', port: 2 },
        ],
      }),
      ['spec.ports[1].name'],
    ],
    [
      'one port twice',
      service('web', {
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 1 },
        ],
      }),
      ['spec.ports[1]'],
    ],
    [
      'a protocol nobody has',
      service('web', { ports: [{ port: 1, protocol: 'ICMP' }] }),
      ['spec.ports[0].protocol'],
    ],
    ['a type nobody has', service('web', { type: 'Magic' }), ['spec.type']],
    ['an address that is none', service('web', { clusterIP: '1.2.3' }), ['spec.clusterIPs[0]']],
    [
      'an external name without a name',
      service('web', { type: 'ExternalName' }),
      ['spec.externalName'],
    ],
    ['a name with capitals', service('Web'), ['metadata.name']],
    [
      'a megabyte of annotation',
      service('web', {}, { annotations: { big: 'x'.repeat(2 ** 20) } }),
      ['metadata.annotations'],
    ],
    [
      'an endpoint of the other family',
      slice('web', ['fd00:10::1']),
      ['endpoints[0].addresses[0]'],
    ],
    [
      'an endpoint without addresses',
      slice('web', [], { endpoints: [{}] }),
      ['endpoints[0].addresses'],
    ],
    ['a slice without a family', slice('web', [], { addressType: undefined }), ['addressType']],
    [
      'too many endpoints',
      slice(
        'web',
        Array.from({ length: 1001 }, () => '10.0.0.1'),
      ),
      ['endpoints'],
    ],
    [
      'a pod CIDR that is none',
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: { podCIDRs: ['10.0.0.0'] } },
      ['spec.podCIDRs[0]'],
    ],
  ])('%s', (_, object, fields) => {
    const refused = errorOf(() => create(setUp(), object)).fields;
    expect(refused.code).toBe(422);
    expect(recordsAt(refused, 'details.causes').map((cause) => cause['field'])).toEqual(fields);
  });

  it('two families in a cluster of one', () => {
    const registry = setUp(['172.30.0.0/16']);
    const refused = errorOf(() =>
      create(registry, service('web', { ipFamilyPolicy: 'RequireDualStack' })),
    );
    expect(refused.message).toContain('spec.ipFamilyPolicy: Invalid value: "RequireDualStack"');
  });

  it('an address that changes, a family of a slice that changes', () => {
    const registry = setUp();
    const created = create(registry, service('web'));
    const moved = {
      ...created,
      spec: { ...specOf(created), clusterIP: '172.30.0.77', clusterIPs: ['172.30.0.77'] },
    };
    expect(errorOf(() => registry.update(moved)).message).toContain(
      'spec.clusterIPs[0]: Invalid value: "172.30.0.77": may not change once set',
    );
    create(registry, slice('web', []));
    expect(
      errorOf(() => registry.update(slice('web', [], { addressType: 'IPv6' }))).message,
    ).toContain('field is immutable');
  });

  it('nothing, with validation off: bad objects are kept as they are', () => {
    const spec = { clusterIP: 'nonsense', ports: [{ port: 'x' }, 'y', { port: 70_000 }], type: 5 };
    const stored = objectOf(setUp().create(service('Web', spec), { validate: false }));
    expect(specOf(stored)).toMatchObject({
      clusterIP: 'nonsense',
      type: 5,
      ports: [{ port: 'x' }, 'y', { port: 70_000 }],
    });
    expect(() =>
      setUp().create({ ...service('web'), spec: 'none' }, { validate: false }),
    ).not.toThrow();
  });
});

describe('writes', () => {
  it('refuse another version or uid than the present ones', () => {
    const registry = setUp();
    const created = create(registry, service('web'));
    update(registry, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } } });
    expect(errorOf(() => registry.update(created)).fields.code).toBe(409);
    expect(errorOf(() => registry.update(service('web', {}, { uid: 'other' }))).fields.code).toBe(
      409,
    );
    expect(errorOf(() => registry.create(service('web'))).fields.reason).toBe('AlreadyExists');
    expect(errorOf(() => registry.update(service('none'))).fields.code).toBe(404);
  });

  it('change nothing if nothing differs', () => {
    const registry = setUp();
    const created = create(registry, service('web'));
    expect(update(registry, created).metadata.resourceVersion).toBe(
      created.metadata.resourceVersion,
    );
    expect(update(registry, service('web')).metadata.resourceVersion).toBe(
      created.metadata.resourceVersion,
    );
  });

  it('of the object leave status alone, those of status all else', () => {
    const registry = setUp();
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } };
    expect(create(registry, { ...service('web'), status })['status']).toEqual({ loadBalancer: {} });
    expect(update(registry, { ...service('web'), status })['status']).toEqual({ loadBalancer: {} });
    const written = { ...service('web', {}, { labels: { a: 'b' } }), status };
    const after = objectOf(registry.update(written, { part: 'status' }));
    expect([after['status'], after.metadata.labels]).toEqual([status, undefined]);
  });

  it('choose a name for those who have only its beginning', () => {
    const metadata = { namespace: 'default', generateName: 'web-' };
    expect(textAt(create(setUp(), { ...service('x'), metadata }), 'metadata.name')).toMatch(
      /^web-[0-9a-f]{5}$/,
    );
  });

  it('make the namespace that they are in, and deleting it takes its objects with it', () => {
    const registry = setUp();
    create(registry, service('web', {}, { namespace: 'shop' }));
    expect(registry.store.get('namespaces', 'shop')).toBeDefined();
    registry.delete(resourceOfKind('Namespace')!, { namespace: '', name: 'shop' });
    expect(registry.store.list('services')).toEqual([]);
  });

  it('keep nothing in a dry run', () => {
    const registry = setUp();
    registry.create(service('web'), { isDryRun: true });
    expect(registry.store.revision).toBe(1);
  });
});

it('an object with finalizers goes when the last of them has gone', () => {
  const registry = setUp();
  const services = resourceOfKind('Service')!;
  const created = create(registry, service('web', {}, { finalizers: ['a/b'] }));
  const { stored, isGone } = registry.delete(services, { namespace: 'default', name: 'web' });
  expect(isGone).toBe(false);
  expect(objectOf(stored).metadata.deletionTimestamp).toBe('2025-01-01T00:00:00Z');
  update(registry, {
    ...created,
    metadata: { ...created.metadata, finalizers: [], resourceVersion: undefined },
  });
  expect(registry.find(services, { namespace: 'default', name: 'web' })).toBeUndefined();
});

it('an Event of either group is one of the other', () => {
  const registry = setUp();
  const event = {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'e' },
    note: 'so it is',
    regarding: { kind: 'Node', name: 'n' },
  };
  const stored = registry.create(event);
  expect(objectOf(stored)).toMatchObject({
    apiVersion: 'v1',
    message: 'so it is',
    involvedObject: { name: 'n' },
  });
  expect(stored.fields['involvedObject.name']).toBe('n');
});
