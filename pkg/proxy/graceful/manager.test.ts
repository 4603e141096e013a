import { afterEach, describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  connect,
  dying,
  nodeWeb,
  one,
  restart,
  restartDraining,
  stands,
  start,
  stopStands,
  terminating,
  two,
  web,
  weight,
} from '../../../test/support/draining.ts';
import { service, servicePort, slice } from '../../../test/support/objects.ts';
import { remove, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { reversed } from '../../conntrack/conntrack.ts';
import { minutes, seconds } from '../../runner/clock.ts';

afterEach(stopStands);

describe('a real server that is no longer wanted', () => {
  test('goes at once if it has no connections', async () => {
    const stand = await start();
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle();
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['empty']]);
  });

  test('drains as long as its connections last while its pod lives', async () => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(minutes(60));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    connect(stand, { active: 0 });
    await stand.settle(minutes(1));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['empty']]);
  });

  test('goes within five seconds of its last connection when only closing ones were left', async () => {
    const stand = await start();
    connect(stand, { active: 0, closing: 1 });
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(115));
    connect(stand, { active: 0, closing: 0 });
    await stand.settle(seconds(5));
    expect(await weight(stand)).toBeUndefined();
  });

  test('that was found at start, and that no slice names, has half a minute, unless slices may be out of date', async () => {
    const before = await start();
    connect(before);
    await before.stop();
    const stand = new Stand({ kernel: before.kernel, syncPeriod: minutes(60) });
    stands.splice(0, 1, stand);
    stand.report(setService(service()), setSlice(slice([one])));
    await stand.sync();
    stand.report({ type: 'stale', kind: 'EndpointSlice' });
    await stand.settle(minutes(5));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    stand.report({ type: 'current', kind: 'EndpointSlice' });
    await stand.settle(minutes(1));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['deadline']]);
  });

  test('goes when its pod has left all slices while it terminated', async () => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(30));
    stand.report(setSlice(slice([one])));
    await stand.settle(499);
    expect(await weight(stand)).toBe(0);
    await stand.settle(1);
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['podGone']]);
  });

  test('stays when its pod only moves to another slice', async () => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle();
    stand.report(setSlice(slice([one])), setSlice(slice([terminating], { name: 'web-2' })));
    await stand.settle(minutes(5));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
  });

  test('goes at the deadline after its last answer if it terminates and does not serve', async () => {
    const stand = await start();
    connect(stand, { packets: [1, 1] });
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(minutes(10));
    connect(stand, { packets: [2, 2] });
    await stand.settle(minutes(15));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    await stand.settle(minutes(1));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['deadline']]);
  });

  test.each([4, 30, 100, 900])(
    'goes at its deadline of %i s if nothing is heard of it, whatever the statistics show late',
    async (timeout) => {
      const stand = await start({ drains: { mode: 'pod', timeout: seconds(timeout) } });
      connect(stand, { packets: [1, 1] });
      stand.report(setSlice(slice([one, dying])));
      await stand.settle(seconds(1.9));
      // The kernel's next refresh: packets of the time before.
      connect(stand, { packets: [2, 2] });
      await stand.settle(seconds(timeout - 1.9) - 1);
      expect(await weight(stand)).toBe(0);
      await stand.settle(seconds(1));
      expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['deadline']]);
    },
  );

  test.each([4, 30, 100])(
    'goes %i s after its last answer, as precisely as that is known',
    async (timeout) => {
      const stand = await start({ drains: { mode: 'pod', timeout: seconds(timeout) } });
      connect(stand, { packets: [1, 1] });
      stand.report(setSlice(slice([one, dying])));
      for (let packets = 2; packets < 12; packets++) {
        await stand.settle(seconds(2));
        connect(stand, { packets: [packets, packets] });
      }
      await stand.settle(seconds(timeout - 2) - 1);
      expect(await weight(stand)).toBe(0);
      await stand.settle(seconds(2 + Math.max(1, timeout / 15)) + 1);
      expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['deadline']]);
    },
  );

  test.each([
    [{ active: 2, closing: 3 }, ['deadline 2 of web']],
    [{ active: 0, closing: 3 }, []],
  ])('cuts the connections that live, not those that are closing: %o', async (counters, cuts) => {
    const stand = await start({ drains: { mode: 'pod', timeout: seconds(60) } });
    connect(stand, counters);
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(seconds(61));
    expect([stand.reports.drains, stand.reports.cuts]).toEqual([['deadline'], cuts]);
  });

  test('goes when a minute of packets went unanswered', async () => {
    const stand = await start();
    connect(stand, { packets: [1, 1] });
    stand.report(setSlice(slice([one, { ...two, ready: false, serving: false }])));
    for (let packets = 2; packets < 80; packets++) {
      await stand.settle(seconds(1));
      if (stand.reports.drains.length === 0) connect(stand, { packets: [packets, 1] });
    }
    await stand.settle(minutes(1));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['unanswered']]);
  });

  test('goes as well when the node answers in its place, because it cannot reach it', async () => {
    const stand = await start();
    connect(stand, { packets: [1, 1] });
    stand.report(setSlice(slice([one, { ...two, ready: false, serving: false }])));
    stand.kernel.neighbours.unreachable.add(two.address);
    for (let packets = 2; packets < 80; packets++) {
      await stand.settle(seconds(1));
      if (stand.reports.drains.length === 0) connect(stand, { packets: [packets, packets] });
    }
    await stand.settle(minutes(1));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['unanswered']]);
  });

  test('stays when nobody knows whether the node can reach it', async () => {
    const stand = await start();
    connect(stand, { packets: [1, 1] });
    stand.report(setSlice(slice([one, { ...two, ready: false, serving: false }])));
    stand.kernel.neighbours.failWith = () => 'ENOBUFS';
    for (let packets = 2; packets < 120; packets++) {
      await stand.settle(seconds(1));
      connect(stand, { packets: [packets, packets] });
    }
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    expect(stand.log.lines()).toContainEqual(
      expect.stringContaining('could not look for the way to a draining real server'),
    );
  });

  test('is looked at when that minute is over, although the check interval is longer by then', async () => {
    const stand = await start();
    connect(stand, { packets: [1, 1] });
    stand.report(setSlice(slice([one, { ...two, ready: false, serving: false }])));
    // A client retransmits at growing distances.
    let last = 0;
    for (const [index, time] of [4.2, 4.6, 5.4, 7.1, 10.2, 16.6, 29.4, 55].entries()) {
      await stand.settle(seconds(time - last));
      connect(stand, { packets: [index + 2, 1] });
      last = time;
    }
    await stand.settle(seconds(13));
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['unanswered']]);
  });

  test('of UDP answers for two more seconds while its pod lives, and for a quarter of one when it does not serve', async () => {
    const udp = service({ ports: [servicePort({ protocol: 'UDP' })] });
    const virtualServer = { ...web, protocol: 'UDP' } as const;
    const ports = [{ name: '', protocol: 'UDP', port: 8080 }] as const;
    const stand = await start({}, udp);
    stand.report(setSlice(slice([one, terminating], { ports })));
    await stand.settle(2_019);
    expect(await weight(stand, virtualServer)).toBe(0);
    await stand.settle(1);
    expect(await weight(stand, virtualServer)).toBeUndefined();
    stand.report(setSlice(slice([one, two], { ports })));
    await stand.settle(seconds(1));
    stand.report(setSlice(slice([one, dying], { ports })));
    await stand.settle(269);
    expect(await weight(stand, virtualServer)).toBe(0);
    await stand.settle(1);
    expect(await weight(stand, virtualServer)).toBeUndefined();
  });

  test('of UDP keeps its flows if it is wanted again while they are looked up, and loses them with its end', async () => {
    const udp = service({ ports: [servicePort({ protocol: 'UDP' })] });
    const ports = [{ name: '', protocol: 'UDP', port: 8080 }] as const;
    const stand = await start({}, udp);
    const original = { source: ip('10.0.9.9'), destination: web.address, sourcePort: 1024 };
    stand.kernel.conntrack.insert({
      protocol: 'UDP',
      zone: 0,
      mark: 0,
      status: 0,
      tcpState: undefined,
      original: { ...original, destinationPort: web.port },
      reply: { ...reversed({ ...original, destinationPort: 8080 }), source: two.address },
    });
    const drain = () => stand.report(setSlice(slice([one, terminating], { ports })));
    drain();
    await stand.settle(2_005);
    stand.report(setSlice(slice([one, two], { ports })));
    await stand.settle(seconds(5));
    expect(stand.kernel.conntrack.print()).toContain('sport=1024');
    drain();
    await stand.settle(seconds(3));
    expect(stand.kernel.conntrack.print()).toBe('');
  });

  test("goes by upstream's rules if they are asked for", async () => {
    const stand = await start({ drains: { mode: 'connections', timeout: 0 } });
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(30));
    stand.report(setSlice(slice([one])));
    await stand.settle(minutes(60));
    expect(await weight(stand)).toBe(0);
    connect(stand, { active: 0 });
    await stand.settle(minutes(1));
    expect(await weight(stand)).toBeUndefined();
  });
});

describe('a virtual server that is no longer wanted', () => {
  test('refuses new connections, and lets its old ones last until the deadline', async () => {
    const stand = await start();
    connect(stand);
    stand.report(remove('Service', 'web'));
    await stand.settle(minutes(15) - 1);
    expect([await weight(stand), stand.kernel.links.dump()]).toEqual([
      0,
      expect.stringContaining('172.30.0.1'),
    ]);
    await stand.settle(1);
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['empty', 'deadline']]);
    await stand.settle(seconds(5));
    expect(stand.kernel.ipvs.virtualServer(web)).toBeUndefined();
    expect(stand.kernel.links.dump()).not.toContain('172.30.0.1');
  });

  test('reports connections that are cut with their Service, if that is still there', async () => {
    const [first, second] = [
      servicePort({ name: 'a', port: 80 }),
      servicePort({ name: 'b', port: 81 }),
    ];
    const stand = await start({}, service({ ports: [first, second] }));
    connect(stand);
    connect(stand, {}, { ...web, port: 81 });
    stand.report(setService(service({ ports: [second] })));
    await stand.settle(minutes(15));
    expect(stand.reports.cuts).toEqual(['deadline 1 of web']);
    stand.report(remove('Service', 'web'));
    await stand.settle(minutes(15));
    expect(stand.reports.cuts).toEqual(['deadline 1 of web', 'deadline 1 of nobody']);
  });

  test('does not tell another Service of the same name', async () => {
    const stand = await start({}, service({ created: 1 }));
    connect(stand);
    stand.report(remove('Service', 'web'));
    await stand.settle(minutes(1));
    const elsewhere = ip('172.30.0.9');
    stand.report(setService(service({ created: 9, clusterIPs: [elsewhere] })));
    await stand.settle(minutes(15));
    expect(stand.reports.cuts).toEqual(['deadline 1 of nobody']);
  });

  test('gives clients from outside a minute', async () => {
    const stand = await start(
      {},
      service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] }),
    );
    connect(stand, {}, nodeWeb);
    stand.report(remove('Service', 'web'));
    await stand.settle(minutes(1) - 1);
    expect(await weight(stand, nodeWeb)).toBe(0);
    await stand.settle(seconds(6));
    expect(stand.kernel.ipvs.virtualServer(nodeWeb)).toBeUndefined();
  });

  test('gives clients from outside a minute, however much they talk, and all of it if a real server drained before', async () => {
    const exposed = service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] });
    const stand = await start({}, exposed);
    connect(stand, {}, nodeWeb);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(minutes(5));
    stand.report(remove('Service', 'web'));
    for (let packets = 1; packets < 12; packets++) {
      await stand.settle(seconds(5));
      connect(stand, { packets: [packets, packets] }, nodeWeb);
    }
    await stand.settle(seconds(5) - 1);
    expect(await weight(stand, nodeWeb)).toBe(0);
    await stand.settle(seconds(1));
    expect(await weight(stand, nodeWeb)).toBeUndefined();
  });

  test('that was given up twice has a minute each time', async () => {
    const exposed = service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] });
    const stand = await start({}, exposed);
    connect(stand, {}, nodeWeb);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(5));
    stand.report(remove('Service', 'web'));
    await stand.settle(seconds(50));
    stand.report(setService(exposed));
    await stand.settle(seconds(50));
    stand.report(remove('Service', 'web'));
    await stand.settle(seconds(59));
    expect(await weight(stand, nodeWeb)).toBe(0);
    await stand.settle(seconds(2));
    expect(await weight(stand, nodeWeb)).toBeUndefined();
  });

  test('is taken over at once by a Service that comes back with its address, and its connections carry on', async () => {
    const stand = await start();
    connect(stand);
    stand.report(remove('Service', 'web'));
    await stand.settle(minutes(1));
    stand.report(setService(service({ created: 9 })));
    await stand.settle();
    expect([await weight(stand), stand.kernel.ipvs.calls.deleteVirtualServer]).toEqual([1, 0]);
    await stand.settle(minutes(60));
    expect(await weight(stand)).toBe(1);
  });
});

describe('after a restart', () => {
  test('a drain ends when its pod is gone, and not before', async () => {
    const second = await restartDraining();
    second.report(setSlice(slice([one])));
    await second.settle(499);
    expect(await weight(second)).toBe(0);
    await second.settle(1);
    expect([await weight(second), second.reports.drains]).toEqual([undefined, ['podGone']]);
  });

  test('drains go on, and weight-0 real servers that are wanted get their weight back', async () => {
    const first = await start();
    connect(first);
    first.report(setSlice(slice([one, terminating])));
    await first.settle(seconds(10));
    await first.stop();
    expect(first.reports.drains).toEqual(['shutdown']);

    const wanted = await start({ kernel: first.kernel, clock: first.clock });
    expect(await weight(wanted)).toBe(1);
  });

  test('one that no slice names is given half a minute', async () => {
    const first = await start();
    connect(first);
    const second = await restart(first, setService(service()), setSlice(slice([one])));
    await second.settle(seconds(29));
    expect(await weight(second)).toBe(0);
    await second.settle(seconds(2));
    expect(await weight(second)).toBeUndefined();
  });
});
