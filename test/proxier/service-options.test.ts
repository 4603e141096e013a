import { afterEach, describe, expect, test } from 'vitest';
import { Schedulers } from '../../pkg/ipvs/probe.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { FakeKernel, Stand, type StandOptions, setService, setSlice } from '../support/proxier.ts';

// Schedulers and limits that Services ask for by annotations, as the whole proxier carries them out.

const vip = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

/** A proxier that asks Services, on a kernel that lacks `twos`. */
function start(over: StandOptions = {}): Stand {
  const kernel = new FakeKernel({ schedulers: ['rr', 'lc', 'sh', 'mh', 'dh'] });
  const { scheduler = 'rr' } = over;
  const schedulers = new Schedulers(kernel.ipvs, () => 0);
  const judgedBy = { scheduler, hasScheduler: (name: string) => schedulers.has(name) };
  const serviceOptionsOf = ({ annotations }: Service) =>
    parseServiceAnnotations(annotations, judgedBy);
  const stand = new Stand({ kernel, serviceOptionsOf, ...over });
  stands.push(stand);
  return stand;
}

function annotated(annotations: Readonly<Record<string, string>>): Service {
  return service({ annotations });
}

/** Virtual and real servers as ipvsadm prints them. */
function virtualServers(stand: Stand): readonly string[] {
  return stand.kernel.ipvs
    .dump()
    .split('\n')
    .filter((line) => line !== '');
}

describe('the scheduler of a Service', () => {
  test('changes on the standing virtual server, whose connections stay, and falls back when it is taken away', async () => {
    const stand = start();
    stand.report(setService(annotated({})), setSlice(slice([one])));
    await stand.sync();
    const { ipvs } = stand.kernel;
    ipvs.setCounters(vip, { address: one.address, port: 8080 }, { activeConnections: 7 });
    const added = ipvs.calls.addVirtualServer;
    const seen: string[] = [];
    for (const annotations of [
      { scheduler: 'lc' },
      { scheduler: 'sh' },
      { scheduler: 'sh', 'scheduler-flags': 'sh-port' },
      { scheduler: 'mh' },
      { scheduler: 'mh', 'scheduler-flags': '' },
      {},
    ]) {
      stand.report(setService(annotated(annotations)));
      await stand.settle();
      const status = ipvs.virtualServer(vip);
      seen.push(`${status?.scheduler} ${status?.flags}`);
    }
    expect(seen).toEqual(['lc 0', 'sh 8', 'sh 24', 'mh 24', 'mh 8', 'rr 0']);
    const [realServer] = await ipvs.realServers(vip);
    expect(realServer).toMatchObject({ activeConnections: 7, weight: 1 });
    // Probes are added and deleted as well; the Service's own virtual server is not.
    const probes = 3;
    expect(ipvs.calls.addVirtualServer - added).toBe(probes);
    expect(ipvs.calls.deleteVirtualServer).toBe(probes);
  });

  test.each(['twos', 'magic'])(
    'is the configured one if it asks for %s, and its owner is told',
    async (scheduler) => {
      const stand = start({ scheduler: 'lc' });
      stand.report(setService(annotated({ scheduler })), setSlice(slice([one])));
      await stand.sync();
      expect(virtualServers(stand)[0]).toContain('-s lc');
      expect(stand.reports.annotations).toEqual([expect.stringContaining(`"${scheduler}" is not`)]);
    },
  );

  test('holds for every port and address of the Service, and for no other Service', async () => {
    const stand = start();
    const { address } = vip;
    const ports = [
      servicePort({ name: 'a', nodePort: 30_080 }),
      servicePort({ name: 'b', port: 81 }),
    ];
    const exposed = { ports, type: 'LoadBalancer', loadBalancerIPs: [ip('203.0.113.9')] } as const;
    const externalIPs = [ip('203.0.113.10')];
    stand.report(
      setService({ ...annotated({ scheduler: 'lc' }), ...exposed, externalIPs }),
      setService(service({ name: 'other', clusterIPs: [ip('172.30.0.2')] })),
    );
    await stand.sync();
    const lines = virtualServers(stand).map((line) => line.replace(/.* -s /, ''));
    expect([
      lines.filter((name) => name === 'lc').length,
      lines.filter((name) => name === 'rr'),
    ]).toEqual([7, ['rr']]);
    expect(stand.kernel.ipvs.virtualServer({ ...vip, address })?.scheduler).toBe('lc');
  });

  test('without --ipvs-service-annotations is the configured one', async () => {
    const stand = start({ serviceOptionsOf: undefined });
    stand.report(setService(annotated({ scheduler: 'lc', 'connection-limit': '9' })));
    await stand.sync();
    expect(virtualServers(stand)).toEqual(['-A -t 172.30.0.1:80 -s rr']);
    expect(stand.reports.annotations).toEqual([]);
  });

  test('that becomes dh ends drains, which it cannot pass over', async () => {
    const stand = start();
    stand.report(setService(annotated({})), setSlice(slice([one, two])));
    await stand.sync();
    const { ipvs } = stand.kernel;
    ipvs.setCounters(vip, { address: two.address, port: 8080 }, { activeConnections: 1 });
    stand.report(setSlice(slice([one, { ...two, ready: false }])));
    await stand.settle(minutes(5));
    expect(await ipvs.realServers(vip)).toHaveLength(2);
    stand.report(setService(annotated({ scheduler: 'dh' })));
    await stand.settle(seconds(1));
    expect(await ipvs.realServers(vip)).toHaveLength(1);
    expect(stand.reports.drains).toEqual(['atOnce']);
  });
});

describe('the connection limit of a Service', () => {
  test('is the upper threshold of each real server, the lower is three quarters of it, and connections stay', async () => {
    const stand = start();
    stand.report(setService(annotated({})), setSlice(slice([one, two])));
    await stand.sync();
    const { ipvs } = stand.kernel;
    ipvs.setCounters(vip, { address: one.address, port: 8080 }, { activeConnections: 7 });
    const thresholds = async () =>
      (await ipvs.realServers(vip)).map(
        ({ upperThreshold, lowerThreshold, activeConnections }) =>
          `${upperThreshold} ${lowerThreshold} ${activeConnections}`,
      );
    stand.report(setService(annotated({ 'connection-limit': '101' })));
    await stand.settle();
    expect((await thresholds()).toSorted()).toEqual(['101 75 0', '101 75 7']);
    const drained = { ...one, ready: false };
    stand.report(setSlice(slice([drained, two])));
    await stand.settle();
    stand.report(setSlice(slice([one, two])));
    await stand.settle(seconds(1));
    expect((await thresholds()).toSorted()).toEqual(['101 75 0', '101 75 7']);
    stand.report(setService(annotated({ 'connection-limit': 'many' })));
    await stand.settle();
    expect((await thresholds()).toSorted()).toEqual(['0 0 0', '0 0 7']);
    expect(stand.reports.annotations).toHaveLength(1);
  });

  test('that somebody else takes away is put back by the audit', async () => {
    const stand = start();
    stand.report(setService(annotated({ 'connection-limit': '8' })), setSlice(slice([one])));
    await stand.sync();
    const { ipvs } = stand.kernel;
    const [held] = await ipvs.realServers(vip);
    if (held === undefined) throw new Error('no real server');
    const realServer = { ...held, upperThreshold: 0, lowerThreshold: 0 };
    ipvs.write([{ kind: 'updateRealServer', virtualServer: vip, realServer }]);
    await stand.settle(minutes(1));
    expect(await ipvs.realServers(vip)).toMatchObject([{ upperThreshold: 8, lowerThreshold: 6 }]);
    expect(stand.reports.repairs).toEqual(['weighRealServer']);
  });
});

describe('real servers that come together', () => {
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];

  async function orderOn(nodeName: string, kernel = new FakeKernel()): Promise<readonly string[]> {
    const stand = start({ nodeName, kernel, serviceOptionsOf: undefined });
    stand.report(setService(service()), setSlice(slice(addresses.map((one) => endpoint(one)))));
    await stand.sync();
    return (await stand.kernel.ipvs.realServers(vip)).map(({ address }) => address);
  }

  test('are added in an order that begins elsewhere on other nodes, and is the same each time', async () => {
    const orders = await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => orderOn(name)),
    );
    expect(new Set(orders.map(([first]) => first))).toEqual(new Set(addresses));
    expect(await orderOn('a')).toEqual(orders[0]);
  });

  test('keep their order when the program starts again, whatever node it takes itself for', async () => {
    const kernel = new FakeKernel();
    const order = await orderOn('a', kernel);
    for (const name of ['a', 'b', 'c', 'd']) expect(await orderOn(name, kernel)).toEqual(order);
  });
});
