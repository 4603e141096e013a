import { afterEach, describe, expect, test } from 'vitest';
import type { VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, Stand, setService, setSlice } from '../support/proxier.ts';

// A Service that changes: ports that are not concerned keep their connections, and of what it no longer has nothing is left.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

function start(): Stand {
  const stand = new Stand();
  stands.push(stand);
  return stand;
}

const web = servicePort({ name: 'web', port: 80, nodePort: 30_080 });
const api = servicePort({ name: 'api', port: 81, nodePort: 30_081 });
const kept: VirtualServerId = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 };
const pod = { address: ip('10.0.0.1'), port: 8080 };
const outer = ip('203.0.113.9');

function shop(over: Partial<Service> = {}): Service {
  return service({ type: 'NodePort', ports: [web, api], ...over });
}

/** The slice of all ports that the Services here have, so that each finds its endpoint. */
const pods = slice([endpoint('10.0.0.1', { nodeName: 'here' })], {
  ports: [
    ...['web', 'api', 'renamed', ''].map((name) => ({
      name,
      protocol: 'TCP' as const,
      port: 8080,
    })),
    { name: 'api', protocol: 'UDP', port: 8080 },
  ],
});

/** What a kernel looks like that has never had anything but these objects. */
async function fresh(...changes: readonly Change[]): Promise<string> {
  const stand = start();
  stand.report(...changes);
  await stand.sync();
  await stand.settle(minutes(2));
  return stand.kernel.dump();
}

async function connectionsOf(stand: Stand): Promise<number | undefined> {
  return (await stand.kernel.ipvs.realServers(kept))[0]?.activeConnections;
}

interface Row {
  readonly name: string;
  readonly before?: Service;
  readonly after: Service;
}

const rows: readonly Row[] = [
  { name: 'a port more', before: shop({ ports: [web] }), after: shop() },
  { name: 'a port less', after: shop({ ports: [web] }) },
  {
    name: 'another port is renamed',
    after: shop({ ports: [web, { ...api, name: 'renamed' }] }),
  },
  {
    name: 'the port itself is renamed',
    after: shop({ ports: [{ ...web, name: 'renamed' }, api] }),
  },
  {
    name: 'another protocol of another port',
    after: shop({ ports: [web, { ...api, protocol: 'UDP' }] }),
  },
  { name: 'another number of another port', after: shop({ ports: [web, { ...api, port: 82 }] }) },
  { name: 'another node port', after: shop({ ports: [{ ...web, nodePort: 30_090 }, api] }) },
  {
    name: 'node ports that two ports exchange',
    after: shop({
      ports: [
        { ...web, nodePort: 30_081 },
        { ...api, nodePort: 30_080 },
      ],
    }),
  },
  {
    name: 'NodePort → ClusterIP',
    after: shop({ type: 'ClusterIP', ports: [web, api].map((port) => ({ ...port, nodePort: 0 })) }),
  },
  {
    name: 'NodePort → LoadBalancer',
    after: shop({ type: 'LoadBalancer', loadBalancerIPs: [outer] }),
  },
  {
    name: 'LoadBalancer → NodePort',
    before: shop({
      type: 'LoadBalancer',
      loadBalancerIPs: [outer],
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 32_000,
    }),
    after: shop(),
  },
  { name: 'session affinity on', after: shop({ affinitySeconds: 600 }) },
  { name: 'session affinity off', before: shop({ affinitySeconds: 600 }), after: shop() },
  { name: 'an external IP more', after: shop({ externalIPs: [outer] }) },
  { name: 'a family more', after: shop({ clusterIPs: [ip('172.30.0.1'), ip('fd00:172:30::1')] }) },
];

describe('connections of a port that is not concerned stay, and nothing is left over', () => {
  test.each(rows)('$name', async ({ before = shop(), after }) => {
    const stand = start();
    stand.report(setService(before), setSlice(pods));
    await stand.sync();
    stand.kernel.ipvs.setCounters(kept, pod, { activeConnections: 7 });
    stand.report(setService(after));
    await stand.settle(minutes(2));
    expect(await connectionsOf(stand)).toBe(7);
    expect(stand.kernel.dump()).toBe(await fresh(setService(after), setSlice(pods)));
    expect(stand.log.lines().filter((line) => line.startsWith('error'))).toEqual([]);
  });
});

describe('of a Service that ends as one of ours nothing is left', () => {
  const gone: readonly (readonly [string, Change])[] = [
    ['it becomes an ExternalName', setService(shop({ type: 'ExternalName' }))],
    ['it becomes headless', setService(shop({ clusterIPs: [], ports: [web, api] }))],
    ['it gets a label that takes it out of the watch, or is deleted', remove('Service', 'web')],
  ];
  test.each(gone)('%s', async (_, change) => {
    const stand = start();
    stand.report(setService(shop({ externalIPs: [outer] })), setSlice(pods));
    await stand.sync();
    stand.report(change);
    await stand.settle(minutes(2));
    expect(stand.kernel.dump()).toBe(await fresh());
  });

  test('and what was an ExternalName is served when it is one no more', async () => {
    const stand = start();
    stand.report(setService(shop({ type: 'ExternalName' })), setSlice(pods));
    await stand.sync();
    stand.report(setService(shop()));
    await stand.settle();
    expect(await stand.kernel.ipvs.realServers(kept)).toHaveLength(1);
  });
});

describe('addresses of Services', () => {
  const other = (over: Partial<Service> = {}) =>
    service({ name: 'other', clusterIPs: [ip('172.30.0.2')], ports: [web], ...over });
  const otherPods = {
    ...pods,
    name: 'other-1',
    serviceName: 'other',
    endpoints: [endpoint('10.0.0.2')],
  };

  test('that two of them exchange lead to the right endpoints, in whichever order the events come', async () => {
    const swapped = [
      setService(service({ ports: [web], clusterIPs: [ip('172.30.0.2')] })),
      setService(other({ clusterIPs: [ip('172.30.0.1')] })),
    ];
    const expected = await fresh(...swapped, setSlice(pods), setSlice(otherPods));
    for (const order of [swapped, swapped.toReversed()]) {
      const stand = start();
      stand.report(setService(service({ ports: [web] })), setService(other()));
      stand.report(setSlice(pods), setSlice(otherPods));
      await stand.sync();
      for (const change of order) {
        stand.report(change);
        await stand.settle(seconds(1));
      }
      await stand.settle(minutes(2));
      expect(stand.kernel.dump()).toBe(expected);
    }
  });

  test('external ones that two of them exchange lead to the right endpoints', async () => {
    const one = ip('203.0.113.1');
    const two = ip('203.0.113.2');
    const swapped = [
      setService(service({ ports: [web], externalIPs: [two] })),
      setService(other({ externalIPs: [one] })),
    ];
    const stand = start();
    stand.report(setService(service({ ports: [web], externalIPs: [one] })));
    stand.report(setService(other({ externalIPs: [two] })), setSlice(pods), setSlice(otherPods));
    await stand.sync();
    for (const change of swapped) {
      stand.report(change);
      await stand.settle();
    }
    await stand.settle(minutes(2));
    expect(stand.kernel.dump()).toBe(await fresh(...swapped, setSlice(pods), setSlice(otherPods)));
  });

  test('that are another cluster IP after the Service was created anew leave nothing of the first', async () => {
    const again = setService(shop({ clusterIPs: [ip('172.30.0.9')], uid: 'another', created: 5 }));
    const stand = start();
    stand.report(setService(shop()), setSlice(pods));
    await stand.sync();
    stand.report(remove('Service', 'web'), again);
    await stand.settle(minutes(2));
    expect(stand.kernel.dump()).toBe(await fresh(again, setSlice(pods)));
  });

  test('and the same cluster IP after it was created anew keeps its connections', async () => {
    const stand = start();
    stand.report(setService(shop()), setSlice(pods));
    await stand.sync();
    stand.kernel.ipvs.setCounters(kept, pod, { activeConnections: 7 });
    stand.report(remove('Service', 'web'));
    await stand.settle(seconds(1));
    stand.report(setService(shop({ uid: 'another', created: 5 })));
    await stand.settle(minutes(1));
    expect(await connectionsOf(stand)).toBe(7);
  });
});

describe('many slices', () => {
  const hundred = Array.from({ length: 100 }, (_, number) =>
    slice(
      [1, 2, 3].map((index) => endpoint(`10.1.${number}.${index}`)),
      { name: `web-${number}` },
    ),
  );

  test('of one Service are all served', async () => {
    const stand = start();
    stand.report(setService(service()), ...hundred.map(setSlice));
    await stand.sync();
    expect(await stand.kernel.ipvs.realServers(kept)).toHaveLength(300);
  });

  test.each(['comes first', 'comes last'])(
    'an endpoint that moves is never absent if its new slice %s',
    async (order) => {
      const stand = start();
      stand.report(setService(service()), ...hundred.map(setSlice));
      await stand.sync();
      const { ipvs } = stand.kernel;
      const moving = { address: ip('10.1.0.1'), port: 8080 };
      ipvs.setCounters(kept, moving, { activeConnections: 7 });
      const from = setSlice(
        slice(
          [2, 3].map((index) => endpoint(`10.1.0.${index}`)),
          { name: 'web-0' },
        ),
      );
      const to = setSlice(slice([endpoint('10.1.0.1')], { name: 'web-new' }));
      const deleted = ipvs.calls.deleteRealServer;
      for (const change of order === 'comes first' ? [to, from] : [from, to]) {
        stand.report(change);
        await stand.settle(100);
      }
      await stand.settle(seconds(10));
      const held = (await ipvs.realServers(kept)).find(({ address }) => address === moving.address);
      expect(held).toMatchObject({ weight: 1, activeConnections: 7 });
      expect(ipvs.calls.deleteRealServer).toBe(deleted);
    },
  );
});
