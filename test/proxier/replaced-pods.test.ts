import { afterEach, describe, expect, test } from 'vitest';
import { packUid } from '../../pkg/kube/objects/pod-uid.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import {
  connect,
  one,
  restartDraining,
  start,
  stopStands,
  terminating,
  two,
  web,
  weight,
} from '../support/draining.ts';
import { slice } from '../support/objects.ts';
import { FakeKernel, setSlice } from '../support/proxier.ts';

afterEach(stopStands);

describe('an address that another pod takes over', () => {
  const successor = { ...two, podUid: packUid('another') };

  test('is never served by the old real server: deleted, and added when the kernel has forgotten it', async () => {
    const kernel = new FakeKernel();
    const stand = await start({ kernel });
    connect(stand);
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(49);
    expect(await weight(stand)).toBeUndefined();
    await stand.settle(1);
    expect(await weight(stand)).toBe(1);
    const [status] = (await kernel.ipvs.realServers(web)).filter(
      ({ address }) => address === two.address,
    );
    expect(status?.activeConnections).toBe(0);
  });

  test('while the old one still drains', async () => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(10));
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(50);
    expect([await weight(stand), stand.reports.drains, stand.proxier.graceful.size]).toEqual([
      1,
      ['podGone'],
      0,
    ]);
    await stand.settle(minutes(60));
    expect(await weight(stand)).toBe(1);
  });
});

describe('an address that another pod takes over, at any moment', () => {
  const successor = { ...two, podUid: packUid('another') };
  const elsewhere = setSlice(slice([successor], { name: 'db-1', serviceName: 'db' }));

  test.each([0, 1, 499, 500, 510, 540])(
    '%i ms after the old pod left: never with its connections',
    async (delay) => {
      const kernel = new FakeKernel({ remembersDeleted: true });
      const stand = await start({ kernel });
      connect(stand);
      stand.report(setSlice(slice([one, terminating])));
      await stand.settle(seconds(10));
      stand.report(setSlice(slice([one])));
      await stand.settle(delay);
      stand.report(setSlice(slice([one, successor])));
      for (let waited = 0; (await weight(stand)) !== 1; waited++) {
        expect(waited).toBeLessThan(51);
        await stand.settle(1);
        if (waited === Math.min(45, 544 - delay)) kernel.ipvs.forgetDeleted();
      }
      const found = await kernel.ipvs.realServers(web);
      expect(found.find(({ address }) => address === two.address)?.activeConnections).toBe(0);
      await stand.settle(minutes(60));
      expect([await weight(stand), stand.proxier.graceful.size]).toEqual([1, 0]);
    },
  );

  test('unready at first, and ready a moment later', async () => {
    const kernel = new FakeKernel({ remembersDeleted: true });
    const stand = await start({ kernel });
    connect(stand);
    stand.report(setSlice(slice([one, { ...successor, ready: false }])));
    await stand.settle(5);
    expect(await weight(stand)).toBe(0);
    stand.report(setSlice(slice([one, successor])));
    await stand.settle(30);
    expect(await weight(stand)).toBeUndefined();
    kernel.ipvs.forgetDeleted();
    await stand.settle(20);
    expect(await weight(stand)).toBe(1);
  });

  test('in another Service: that proves nothing, and the old pod ends as it was last seen', async () => {
    const stand = await start();
    connect(stand);
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle(seconds(10));
    stand.report(elsewhere);
    await stand.settle(seconds(10));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
    stand.report(setSlice(slice([one])));
    await stand.settle(500);
    expect([await weight(stand), stand.reports.drains]).toEqual([undefined, ['podGone']]);
  });

  test('is not taken over by pods that share it, as those on the network of a node do', async () => {
    const stand = await start();
    connect(stand);
    stand.report(elsewhere);
    await stand.settle(seconds(10));
    stand.report(setSlice(slice([one])));
    await stand.settle(minutes(10));
    expect([await weight(stand), stand.reports.drains]).toEqual([0, []]);
  });

  test('the same pod does not wait', async () => {
    const stand = await start();
    stand.report(setSlice(slice([one, terminating])));
    await stand.settle();
    expect(await weight(stand)).toBeUndefined();
    stand.report(setSlice(slice([one, two])));
    await stand.settle();
    expect(await weight(stand)).toBe(1);
  });

  test("after a restart: the drain that was found is known as the old pod's", async () => {
    const second = await restartDraining();
    expect(await weight(second)).toBe(0);
    second.report(setSlice(slice([one, successor])));
    await second.settle(49);
    expect([await weight(second), second.reports.drains]).toEqual([undefined, ['podGone']]);
    await second.settle(1);
    expect(await weight(second)).toBe(1);
  });
});
