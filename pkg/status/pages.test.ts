import { describe, expect, onTestFinished, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { endpoint, node, service, servicePort, slice } from '../../test/support/objects.ts';
import { remove, setNode, setService, setSlice } from '../../test/support/proxier.ts';
import { ShownStand } from '../../test/support/status-pages.ts';
import { stretches } from '../../test/support/stretches.ts';
import { minutes, seconds } from '../runner/clock.ts';
import type { StatusReport } from './report.ts';

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

function shown(options: ConstructorParameters<typeof ShownStand>[0] = {}): ShownStand {
  const stand = new ShownStand({ syncPeriod: minutes(60), ...options });
  onTestFinished(() => stand.stop());
  return stand;
}

/** `shop/web` with two endpoints behind it. */
async function withWeb(options: ConstructorParameters<typeof ShownStand>[0] = {}) {
  const stand = shown(options);
  stand.report(
    setService(service({ ports: [servicePort({ name: 'http' })] })),
    setSlice(
      slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2')], {
        ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      }),
    ),
  );
  await stand.sync();
  return stand;
}

function names({ services }: StatusReport): readonly string[] {
  return services.map(({ namespace, name }) => `${namespace}/${name}`);
}

const [serving1, serving2] = ['10.0.0.1', '10.0.0.2'].map((address, index) => ({
  address,
  port: 8080,
  state: 'serving',
  weight: 1,
  podUid: `pod-${address}`,
  node: ['here', 'elsewhere'][index],
  drain: null,
  connections: null,
}));

test('a Service is shown with its virtual server, and that with its real servers', async () => {
  const stand = await withWeb();
  const { time, node: about, ...page } = await stand.page();
  expect(page).toEqual({
    kind: 'IpvsStatus',
    version: 1,
    continue: null,
    unreadVirtualServers: 0,
    services: [
      {
        namespace: 'shop',
        name: 'web',
        isDeleted: false,
        unhonoured: [],
        moreUnhonoured: 0,
        failures: [],
        moreFailures: 0,
        virtualServers: [
          {
            address: '172.30.0.1',
            protocol: 'TCP',
            port: 80,
            servicePort: { name: 'http', port: 80 },
            addressKind: 'clusterIP',
            state: 'served',
            lostTo: null,
            scheduler: 'rr',
            flags: [],
            affinitySeconds: 0,
            realServers: [serving1, serving2],
            moreRealServers: 0,
          },
        ],
        moreVirtualServers: 0,
      },
    ],
  });
  expect(time).toBe(new Date(stand.clock.wallClock()).toISOString());
  expect(about).toMatchObject({
    name: 'here',
    program: 'v1',
    hasSynced: true,
    counts: { services: 1, failedServices: 0, conflicts: 0, draining: 0 },
    failures: [],
  });
});

test('a Service without a cluster IP has nothing in the kernel, and is not shown', async () => {
  const stand = shown();
  stand.report(
    setService(service({ name: 'headless', clusterIPs: [] })),
    setService(service({ name: 'elsewhere', type: 'ExternalName', clusterIPs: [] })),
  );
  await stand.sync();
  expect((await stand.page()).services).toEqual([]);
});

test('every kind of address is named, and affinity and flags', async () => {
  const stand = shown({ scheduler: 'sh' });
  stand.report(
    setNode(node()),
    setService(
      service({
        type: 'LoadBalancer',
        ports: [servicePort({ nodePort: 30_080 })],
        externalIPs: [ip('203.0.113.1')],
        loadBalancerIPs: [ip('203.0.113.2')],
        affinitySeconds: 60,
      }),
    ),
  );
  await stand.sync();
  const { services } = await stand.page();
  const virtualServers = services[0]?.virtualServers ?? [];
  expect(
    virtualServers.map(({ address, port, addressKind, servicePort: of }) => [
      `${address}:${port}`,
      addressKind,
      of?.port,
    ]),
  ).toEqual([
    ['172.30.0.1:80', 'clusterIP', 80],
    ['203.0.113.2:80', 'loadBalancer', 80],
    ['203.0.113.1:80', 'externalIP', 80],
    ['192.168.0.10:30080', 'nodePort', 80],
  ]);
  expect(virtualServers[0]).toMatchObject({ flags: ['persistent', 'flag-1'], affinitySeconds: 60 });
});

describe('a real server that drains', () => {
  /** The second endpoint of `shop/web` terminates and has a connection. */
  async function draining(parameters = ''): Promise<[ShownStand, StatusReport]> {
    const stand = await withWeb({ drains: { mode: 'pod', timeout: minutes(15) } });
    const counters = { activeConnections: 3, inactiveConnections: 1 };
    stand.kernel.ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, counters);
    const dying = { ready: false, serving: false, terminating: true };
    stand.report(
      setSlice(
        slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2', dying)], {
          ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
        }),
      ),
    );
    await stand.settle();
    return [stand, await stand.page(parameters)];
  }

  test('comes first, with why, since when, and until when', async () => {
    const [stand, { services, node: about }] = await draining();
    const now = stand.clock.wallClock();
    const [first, second] = services[0]?.virtualServers[0]?.realServers ?? [];
    expect(first).toEqual({
      address: '10.0.0.2',
      port: 8080,
      state: 'draining',
      weight: 0,
      podUid: 'pod-10.0.0.2',
      node: 'elsewhere',
      drain: {
        cause: 'endpoint',
        pod: 'dying',
        since: new Date(now).toISOString(),
        until: new Date(now + minutes(15)).toISOString(),
        lastAnswer: null,
        ending: null,
        connections: { active: 3, inactive: 1 },
      },
      connections: null,
    });
    expect(second).toEqual(serving1);
    expect(about?.counts.draining).toBe(1);
  });

  test('is shown of a Service that was deleted, until it is gone', async () => {
    const [stand] = await draining();
    stand.report(remove('Service', 'web'));
    await stand.settle(seconds(1));
    const { services } = await stand.page();
    expect(services).toMatchObject([
      {
        name: 'web',
        isDeleted: true,
        virtualServers: [
          {
            state: 'retired',
            servicePort: null,
            realServers: [{ state: 'draining', drain: { cause: 'virtualServer' } }],
          },
        ],
      },
    ]);
    await stand.settle(minutes(20));
    expect((await stand.page()).services).toEqual([]);
  });

  test('has no limit while its pod is well', async () => {
    const stand = await withWeb();
    const counters = { activeConnections: 1 };
    stand.kernel.ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, counters);
    const unready = endpoint('10.0.0.2', { ready: false });
    stand.report(
      setSlice(
        slice([endpoint('10.0.0.1'), unready], {
          ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
        }),
      ),
    );
    await stand.settle();
    const { services } = await stand.page();
    expect(services[0]?.virtualServers[0]?.realServers[0]?.drain).toMatchObject({
      pod: 'alive',
      until: null,
    });
  });
});

describe('what is wrong', () => {
  test('what is not honoured is said of its Service', async () => {
    const stand = shown({ externalIPs: false });
    stand.report(setService(service({ externalIPs: [ip('203.0.113.9')] })));
    await stand.sync();
    expect((await stand.page()).services[0]?.unhonoured).toEqual([
      { reason: 'gate', field: 'spec.externalIPs', value: '203.0.113.9' },
    ]);
  });

  test('a lost conflict names the Service that won', async () => {
    const stand = shown();
    const external = { externalIPs: [ip('203.0.113.9')] };
    stand.report(
      setService(service({ name: 'old', clusterIPs: [ip('172.30.0.1')], ...external })),
      setService(
        service({ name: 'young', clusterIPs: [ip('172.30.0.2')], created: 2, ...external }),
      ),
    );
    await stand.sync();
    const { services } = await stand.page('name=young');
    expect(services[0]?.virtualServers[1]).toMatchObject({
      address: '203.0.113.9',
      state: 'lost',
      lostTo: 'shop/old',
      realServers: [],
    });
  });

  test('an object that the kernel refuses is said with since when and until when', async () => {
    const stand = shown();
    stand.kernel.ipvs.fail = ({ kind }) => (kind === 'addVirtualServer' ? 'ENOMEM' : undefined);
    stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
    await stand.sync();
    const began = stand.clock.wallClock();
    await stand.settle(150);
    const { services, node: about } = await stand.page();
    expect(services[0]?.failures).toEqual([
      {
        object: 'virtual server TCP 172.30.0.1 80',
        error: 'ENOMEM',
        since: new Date(began).toISOString(),
        nextAttempt: expect.stringMatching(/^2025-/) as string,
      },
    ]);
    expect(Date.parse(services[0]?.failures[0]?.nextAttempt ?? '')).toBeGreaterThan(began + 150);
    expect(services[0]?.virtualServers[0]).toMatchObject({
      state: 'unknown',
      realServers: [{ state: 'missing', weight: null }],
    });
    expect(about?.counts.failedServices).toBe(1);
  });

  test('a Service that cannot be worked out is said with the error', async () => {
    const stand = shown({
      serviceOptionsOf: () => ({
        get drainTimeout(): number {
          throw new Error('no options');
        },
        get scheduler(): string {
          throw new Error('no options');
        },
        problems: [],
      }),
    });
    stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
    await stand.sync();
    expect((await stand.page()).services[0]?.failures).toMatchObject([
      { object: 'Service shop/web', error: 'no options' },
    ]);
  });
});

test('syncs and repaired drift are told', async () => {
  const stand = await withWeb({ syncPeriod: seconds(30) });
  stand.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
  await stand.settle(seconds(31));
  stand.report(setService(service({ name: 'other', clusterIPs: [ip('172.30.0.2')] })));
  await stand.settle();
  const { node: about } = await stand.page();
  expect(about?.syncs.map(({ kind, isSuccess }) => [kind, isSuccess])).toEqual([
    ['changes', true],
    ['audit', true],
    ['first', true],
  ]);
  expect(about?.minutes).toMatchObject([
    {
      syncs: 3,
      repairs: { addVirtualServer: 1, addRealServer: 2 },
      examples: [
        '+vs 172.30.0.1:80/TCP rr',
        '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1',
        '+rs 172.30.0.1:80/TCP 10.0.0.2:8080 weight 1',
      ],
    },
  ]);
});

describe('pages', () => {
  /** Services `a/s0` to `a/s4` and `b/s0` to `b/s4`, each with an endpoint. */
  async function withTen(): Promise<ShownStand> {
    const stand = shown();
    for (const index of [3, 1, 4, 0, 2])
      for (const [number, namespace] of ['b', 'a'].entries()) {
        const name = `s${index}`;
        const clusterIPs = [ip(`172.30.${number}.${index}`)];
        const endpoints = [endpoint(`10.0.${number}.${index}`)];
        stand.report(
          setService(service({ namespace, name, clusterIPs })),
          setSlice(slice(endpoints, { namespace, name: `${name}-1`, serviceName: name })),
        );
      }
    await stand.sync();
    return stand;
  }

  test('follow each other in the order of names, the first with the state of the node', async () => {
    const stand = await withTen();
    const found: string[] = [];
    const nodes: boolean[] = [];
    let parameters = 'limit=4';
    for (;;) {
      const page = await stand.page(parameters);
      found.push(...names(page));
      nodes.push(page.node !== null);
      if (page.continue === null) break;
      parameters = `limit=4&continue=${page.continue}`;
    }
    const numbers = [0, 1, 2, 3, 4];
    expect(found).toEqual(['a', 'b'].flatMap((one) => numbers.map((index) => `${one}/s${index}`)));
    expect(nodes).toEqual([true, false, false]);
  });

  test.each([
    ['namespace=b', ['b/s0', 'b/s1', 'b/s2', 'b/s3', 'b/s4']],
    ['name=s2', ['a/s2', 'b/s2']],
    ['namespace=a&name=s2', ['a/s2']],
    ['address=172.30.0.3', ['b/s3']],
    ['address=10.0.1.4', ['a/s4']],
    ['address=10.0.1.4&namespace=b', []],
    ['address=203.0.113.1', []],
    ['continue=a/s9&limit=2', ['b/s0', 'b/s1']],
    ['continue=b/s4', []],
  ])('%s', async (parameters, expected) => {
    expect(names(await (await withTen()).page(parameters))).toEqual(expected);
  });

  test('an address of a real server shows that one alone, while it drains too', async () => {
    const stand = await withWeb();
    const counters = { activeConnections: 1 };
    stand.kernel.ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, counters);
    stand.report(
      setSlice(
        slice([endpoint('10.0.0.1')], { ports: [{ name: 'http', protocol: 'TCP', port: 8080 }] }),
      ),
    );
    await stand.settle(seconds(1));
    const { services } = await stand.page('address=10.0.0.2');
    expect(services[0]?.virtualServers[0]?.realServers).toMatchObject([
      { address: '10.0.0.2', state: 'draining' },
    ]);
  });

  test('of a Service with very many real servers only some are listed, and the page is full', async () => {
    const stand = shown();
    const endpoints = Array.from({ length: 2_100 }, (_, index) =>
      endpoint(`10.0.${index >> 8}.${index & 255}`),
    );
    for (const [index, name] of ['a', 'b', 'c'].entries())
      stand.report(
        setService(service({ name, clusterIPs: [ip(`172.30.0.${index + 1}`)] })),
        setSlice(slice(endpoints, { name: `${name}-1`, serviceName: name })),
      );
    await stand.sync();
    const page = await stand.page();
    expect(names(page)).toEqual(['shop/a', 'shop/b']);
    expect(page.continue).toBe('shop/b');
    expect(page.services[0]?.virtualServers[0]?.realServers).toHaveLength(2_000);
    expect(page.services[0]?.virtualServers[0]?.moreRealServers).toBe(100);
  });

  test('the event loop turns while Services are looked for and while they are looked at', async () => {
    let asked = 0;
    // Each look at the time takes 0.1 ms of it.
    const stand = shown({ now: () => ++asked / 10 });
    for (let index = 0; index < 300; index++)
      stand.report(
        setService(service({ name: `s${index}`, clusterIPs: [ip(`172.30.1.${index % 250}`)] })),
      );
    const endpoints = Array.from({ length: 1_000 }, (_, index) =>
      endpoint(`10.0.${index >> 8}.${index & 255}`),
    );
    stand.report(setSlice(slice(endpoints, { name: 's0-1', serviceName: 's0' })));
    await stand.sync();
    const begun = asked;
    const { longest } = await stretches(
      () => asked,
      () => stand.page(),
    );
    expect(asked - begun).toBeGreaterThan(400);
    expect(longest).toBeLessThan(100);
  });

  test('nobody who has left gets one', async () => {
    const stand = await withWeb();
    const controller = new AbortController();
    controller.abort();
    expect(await stand.pages.answer(new URLSearchParams(), controller.signal)).toEqual({
      json: '',
    });
  });
});

describe('connections', () => {
  test('are read when they are asked for, and not again within two seconds', async () => {
    const stand = await withWeb();
    const first = { address: ip('10.0.0.1'), port: 8080 };
    stand.kernel.ipvs.setCounters(web, first, { activeConnections: 2, inactiveConnections: 1 });
    await stand.page();
    expect(stand.opened).toBe(0);
    const counted = async () => {
      const { services } = await stand.page('connections=1');
      return services[0]?.virtualServers[0]?.realServers.map(({ connections }) => connections);
    };
    const zero = { active: 0, inactive: 0 };
    expect(await counted()).toEqual([{ active: 2, inactive: 1 }, zero]);
    stand.kernel.ipvs.setCounters(web, first, { activeConnections: 5, inactiveConnections: 0 });
    stand.kernel.ipvs.calls.realServers = 0;
    expect(await counted()).toEqual([{ active: 2, inactive: 1 }, zero]);
    expect(stand.kernel.ipvs.calls.realServers).toBe(0);
    await stand.settle(seconds(2));
    expect(await counted()).toEqual([{ active: 5, inactive: 0 }, zero]);
    expect(stand.opened).toBe(1);
  });

  test('are read of 200 virtual servers for a page and in a second', async () => {
    const stand = shown();
    const ports = Array.from({ length: 250 }, (_, index) =>
      servicePort({ name: `p${index}`, port: index + 1 }),
    );
    stand.report(
      setService(service({ ports })),
      setSlice(
        slice([endpoint('10.0.0.1')], {
          ports: ports.map(({ name, port, protocol }) => ({ name, port, protocol })),
        }),
      ),
    );
    await stand.sync();
    stand.kernel.ipvs.calls.realServers = 0;
    const { unreadVirtualServers, services } = await stand.page('connections=1');
    expect(unreadVirtualServers).toBe(50);
    expect(stand.kernel.ipvs.calls.realServers).toBe(200);
    expect(services[0]?.virtualServers[249]?.realServers[0]?.connections).toBeNull();
    expect((await stand.page('connections=1')).unreadVirtualServers).toBe(50);
    await stand.settle(seconds(1));
    expect((await stand.page('connections=1')).unreadVirtualServers).toBe(0);
  });
});
