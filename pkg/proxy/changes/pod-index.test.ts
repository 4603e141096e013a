import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  connect,
  dying,
  one,
  stands,
  start,
  stopStands,
  terminating,
  two,
  weight,
} from '../../../test/support/draining.ts';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { Change, Endpoint } from '../../kube/types.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { Pods } from './pod-index.ts';

// What a slice may be believed of the pods behind a Service.

afterEach(stopStands);

describe('a slice in another namespace', () => {
  const lies: readonly (readonly [string, Partial<Endpoint>])[] = [
    ['with a made-up uid', { podUid: packUid('made-up') }],
    ['without a uid', { podUid: unknownPod }],
    ["with the pod's uid, as ready", {}],
    ["with the pod's uid, as dying", { ready: false, serving: false, terminating: true }],
  ];
  const report = (stand: Stand, lie: Partial<Endpoint>, serviceName: string) =>
    stand.report(
      setSlice(
        slice([{ ...two, ...lie }], {
          namespace: 'evil',
          name: `evil-${serviceName}`,
          serviceName,
        }),
      ),
    );

  test.each(lies)('%s neither ends a drain nor keeps it', async (_, lie) => {
    for (const serviceName of ['web', 'nothing']) {
      const stand = await start();
      connect(stand);
      stand.report(setSlice(slice([one, terminating])));
      await stand.settle(seconds(1));
      report(stand, lie, serviceName);
      await stand.settle(seconds(10));
      expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
      stand.report(setSlice(slice([one])));
      await stand.settle(500);
      expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['podGone']]);
    }
  });

  test.each(lies)('%s says nothing of a pod that left while it was well', async (_, lie) => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one])));
    await stand.settle(seconds(1));
    report(stand, lie, 'web');
    await stand.settle(minutes(14));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    await stand.settle(minutes(2));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['deadline']]);
  });

  test('goes, and nothing ends', async () => {
    const stand = await start();
    connect(stand);
    report(stand, {}, 'web');
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(1));
    stand.report({
      type: 'delete',
      kind: 'EndpointSlice',
      name: { namespace: 'evil', name: 'evil-web' },
    });
    await stand.settle(seconds(10));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
  });

  test('does not make others forget their pods that left', () => {
    const pods = new Pods(() => 0, { memory: 1_000 });
    const gone = { address: ip('10.0.0.2'), podUid: packUid('pod-10.0.0.2') };
    pods.set(slice([dying]));
    pods.set(slice([]));
    for (let round = 0; round < 12; round++) {
      const many = Array.from({ length: 100 }, (_, index) =>
        endpoint('10.0.0.2', { podUid: packUid(`${round}-${index}`) }),
      );
      pods.set(slice(many, { namespace: 'evil' }));
    }
    expect(pods.state('shop', gone)).toBe('dying');
  });
});

describe('pods on the network of a node share its address, which proves nothing', () => {
  const address = '192.168.0.20';
  const mine = endpoint(address, { podUid: packUid('mine') });
  const going = { ...mine, ready: false, terminating: true };
  const other = endpoint(address, { podUid: packUid('other') });
  const db = (...endpoints: readonly Endpoint[]) =>
    setSlice(slice(endpoints, { name: 'db-1', serviceName: 'db', family: 'IPv4' }));
  const web = (...endpoints: readonly Endpoint[]) => setSlice(slice([one, ...endpoints]));
  const drained = (stand: Stand) => stand.kernel.ipvs.dump().includes(`${address}:8080 -m -w 0`);
  const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

  async function serving(): Promise<Stand> {
    const stand = new Stand({ syncPeriod: minutes(60) });
    stands.push(stand);
    stand.report(setService(service()), web(mine));
    await stand.sync();
    const realServer = { address: ip(address), port: 8080 };
    stand.kernel.ipvs.setCounters(virtualServer, realServer, { activeConnections: 1 });
    return stand;
  }

  const moves: readonly Change[] = [db(other), db({ ...other, ready: false }), db(), web(going)];

  test('in whatever order they come and go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...moves), { maxLength: 8 }), async (order) => {
        const stand = await serving();
        for (const change of [...order, web(going)]) {
          stand.report(change);
          await stand.settle(200);
        }
        await stand.settle(minutes(5));
        expect([drained(stand), stand.reports.drains]).toEqual([true, []]);
        for (const change of order) stand.report(change);
        await stand.settle(minutes(5));
        expect([drained(stand), stand.reports.drains]).toEqual([true, []]);
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  test.each([
    ['before', [db(other), web(going)]],
    ['after', [web(going), db(other)]],
  ])('after a restart that tells of the other one %s', async (_, order) => {
    const first = await serving();
    first.report(db(other), web(going));
    await first.settle(seconds(10));
    await first.stop();
    const second = new Stand({ kernel: first.kernel, clock: first.clock });
    stands.push(second);
    second.report(setService(service()), ...order);
    await second.sync();
    await second.settle(minutes(5));
    expect([drained(second), second.reports.drains]).toEqual([true, []]);
    second.report(db(), db(other));
    await second.settle(minutes(5));
    expect([drained(second), second.reports.drains]).toEqual([true, []]);
    second.report(web());
    await second.settle(seconds(1));
    expect([drained(second), second.reports.drains]).toEqual([false, ['podGone']]);
  });

  test('and after a restart one is not taken for the other that came back', async () => {
    const first = await serving();
    first.report(db(other), web());
    await first.settle(seconds(10));
    await first.stop();
    const second = new Stand({ kernel: first.kernel, clock: first.clock });
    stands.push(second);
    second.report(setService(service()), db(other), web());
    await second.sync();
    second.report(web(mine));
    await second.settle();
    const [status] = (await second.kernel.ipvs.realServers(virtualServer)).filter(
      (some) => some.address === address,
    );
    expect([status?.weight, status?.activeConnections]).toEqual([1, 1]);
  });
});

describe('a virtual machine that moves with its address', () => {
  const moved = { ...two, podUid: packUid('after') };
  const settings = { keepsSessionsByAddress: true, drainTimeout: undefined, problems: [] };

  async function move(over: ConstructorParameters<typeof Stand>[0]): Promise<Stand> {
    const stand = await start(over);
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(1));
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(seconds(1));
    stand.report(setSlice(slice([one])));
    await stand.settle(seconds(2));
    stand.report(setSlice(slice([one, moved])));
    await stand.settle(seconds(2));
    return stand;
  }

  test('loses its sessions', async () => {
    expect((await move({})).reports.cuts).toEqual(['podGone 1 of web']);
  });

  test('keeps them where its Service asks for it', async () => {
    const stand = await move({ serviceOptionsOf: () => settings });
    const found = await stand.kernel.ipvs.realServers({
      address: ip('172.30.0.1'),
      protocol: 'TCP',
      port: 80,
    });
    const virtualServer = found.find(({ address }) => address === two.address);
    expect([virtualServer?.weight, virtualServer?.activeConnections]).toEqual([1, 1]);
    expect(stand.reports.drains).toEqual(['wanted']);
  });

  test('and never comes back drains until the deadline', async () => {
    const stand = await start({ serviceOptionsOf: () => settings });
    connect(stand);
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(seconds(1));
    stand.report(setSlice(slice([one])));
    await stand.settle(minutes(14));
    expect(stand.reports.drains).toEqual([]);
    await stand.settle(minutes(2));
    expect(stand.reports.drains).toEqual(['deadline']);
  });
});
