import { afterEach, describe, expect, test } from 'vitest';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { FakeKernel, remove, Stand, setService, setSlice } from '../support/proxier.ts';

// Another program may hold the lock of iptables for half a minute and more.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const three = endpoint('10.0.0.3');
const web = [setService(service()), setSlice(slice([one, two]))];
/** Another Service, on 172.30.0.2. */
const db = [
  setService(service({ name: 'db', clusterIPs: [ip('172.30.0.2')] })),
  setSlice(slice([two], { name: 'db-1', serviceName: 'db' })),
];

function begin(kernel = new FakeKernel()): Stand {
  const stand = new Stand({ kernel });
  stands.push(stand);
  return stand;
}

/** A node that serves `shop/web`, and loses its rules while somebody holds the lock. */
async function locked(): Promise<Stand> {
  const stand = begin();
  stand.report(...web);
  await stand.sync();
  stand.kernel.firewall.isLocked = true;
  stand.kernel.firewall.flushAll('IPv4');
  await stand.settle(seconds(31));
  return stand;
}

const isServed = ({ kernel }: Stand, address: string) => [
  kernel.ipvs.dump().includes(`${address}:80 `),
  kernel.links.dump().includes(`${address}/`),
];

describe('while the lock of iptables is held', () => {
  test('endpoints of a Service that stands come and go', async () => {
    const stand = await locked();
    stand.report(setSlice(slice([one, three])));
    await stand.settle(seconds(1));
    expect(stand.kernel.ipvs.dump()).toContain('-r 10.0.0.3:8080');
    expect(stand.kernel.ipvs.dump()).not.toContain('-r 10.0.0.2:8080');
  });

  test('a new Service waits, neither made nor bound, and stands as soon as the rules do', async () => {
    const stand = await locked();
    stand.report(...db);
    await stand.settle(seconds(10));
    expect(isServed(stand, '172.30.0.2')).toEqual([false, false]);
    stand.kernel.firewall.isLocked = false;
    await stand.settle(seconds(1));
    expect(isServed(stand, '172.30.0.2')).toEqual([true, true]);
    expect(stand.kernel.firewall.dump('IPv4')).toContain('KUBE-SERVICES');
  });

  test('a Service that goes while it waits leaves nothing', async () => {
    const stand = await locked();
    const before = stand.kernel.dump();
    stand.report(...db);
    await stand.settle(seconds(5));
    stand.report(remove('Service', 'db'), remove('EndpointSlice', 'db-1'));
    await stand.settle(seconds(20));
    expect(stand.kernel.dump()).toBe(before);
  });

  test('a start changes endpoints of what stands at once, and is done when the rules are written', async () => {
    const before = begin();
    before.report(...web);
    await before.sync();
    await before.stop();
    stands.pop();
    before.kernel.firewall.isLocked = true;
    const stand = begin(before.kernel);
    stand.report(setService(service()), setSlice(slice([one, three])), ...db);
    await stand.sync();
    await stand.settle(seconds(5));
    expect(stand.kernel.ipvs.dump()).toContain('-r 10.0.0.3:8080');
    expect(isServed(stand, '172.30.0.2')).toEqual([false, false]);
    expect(stand.reports.isFirstSyncDone).toBe(false);
    stand.report(setSlice(slice([one, two])));
    await stand.settle(seconds(1));
    expect(stand.kernel.ipvs.dump()).toContain('-r 10.0.0.2:8080');
    expect(stand.reports.isFirstSyncDone).toBe(false);
    stand.kernel.firewall.isLocked = false;
    await stand.settle(seconds(1));
    expect(isServed(stand, '172.30.0.2')).toEqual([true, true]);
    expect(stand.reports.isFirstSyncDone).toBe(true);
  });

  test('one that nobody gives back is not waited for for ever', async () => {
    const stand = await locked();
    stand.report(...db);
    await stand.settle(minutes(2));
    expect(isServed(stand, '172.30.0.2')).toEqual([true, true]);
    expect(stand.reports.syncs.at(-1)?.isSuccess).toBe(false);
    stand.kernel.firewall.isLocked = false;
    await stand.settle(minutes(1));
    expect(stand.reports.syncs.at(-1)?.isSuccess).toBe(true);
  });
});

test('a program that never ends holds up nothing but what needs its rules', async () => {
  const kernel = new FakeKernel();
  const stand = begin(kernel);
  stand.report(...web);
  await stand.sync();
  const apply = kernel.firewall.apply.bind(kernel.firewall);
  const { promise, resolve } = Promise.withResolvers<void>();
  kernel.firewall.apply = async (family, ruleset) => {
    await promise;
    await apply(family, ruleset);
  };
  kernel.firewall.flushAll('IPv4');
  await stand.settle(seconds(31));
  stand.report(setSlice(slice([one, two, three])), ...db);
  await stand.settle(seconds(31));
  expect(kernel.ipvs.dump()).toContain('-r 10.0.0.3:8080');
  expect(isServed(stand, '172.30.0.2')).toEqual([false, false]);
  resolve();
  await stand.settle();
  expect(isServed(stand, '172.30.0.2')).toEqual([true, true]);
});
