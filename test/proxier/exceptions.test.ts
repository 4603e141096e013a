import { afterEach, describe, expect, test } from 'vitest';
import type { Change, Service } from '../../pkg/kube/types.ts';
import type { ProxierState, Reporter } from '../../pkg/proxy/reporter.ts';
import { seconds } from '../../pkg/runner/clock.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { ip } from '../support/addresses.ts';
import { LogWatch } from '../support/faults/log-watch.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { recordingReporter, remove, Stand, setService, setSlice } from '../support/proxier.ts';

// Something throws that nobody expected to: what it was about is tried again, and nothing else notices.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

function begin(over: ConstructorParameters<typeof Stand>[0] = {}): Stand {
  const stand = new Stand(over);
  stands.push(stand);
  return stand;
}

/** `shop/<name>` on an address of its own, with two endpoints. */
function web(name: string, last: number, over: Partial<Service> = {}): readonly Change[] {
  return [
    setService(service({ name, clusterIPs: [ip(`172.30.0.${last}`)], ...over })),
    setSlice(
      slice([endpoint(`10.0.0.${last}`), endpoint(`10.0.1.${last}`)], {
        serviceName: name,
        name: `${name}-1`,
      }),
    ),
  ];
}

function isServed({ kernel }: Stand, last: number): boolean {
  const virtualServer = `-a -t 172.30.0.${last}:80 -r 10.0.0.${last}:8080 -m -w 1`;
  return (
    kernel.dump().includes(virtualServer) && kernel.links.dump().includes(`172.30.0.${last}/32`)
  );
}

/** The changes of a Service `shop/a` whose session affinity cannot be read where its footprint is made, so many times. */
function unreadable(times: number): readonly Change[] {
  let left = times;
  const object = service({ name: 'a', clusterIPs: [ip('172.30.0.1')] });
  Object.defineProperty(object, 'affinitySeconds', {
    // Who copies the object before does not meet it.
    enumerable: false,
    get() {
      if (left-- > 0) throw new TypeError('affinity is not what it seems');
      return 0;
    },
  });
  return [setService(object), ...web('a', 1).slice(1)];
}

describe('a Service whose footprint cannot be made', () => {
  test('takes nothing from those that changed with it', async () => {
    const stand = begin();
    await stand.sync();
    stand.report(...unreadable(1e9), ...web('b', 2), ...web('c', 3));
    await stand.settle(100);
    expect([isServed(stand, 2), isServed(stand, 3)]).toEqual([true, true]);
  });

  test('takes nothing from the first sync', async () => {
    const stand = begin();
    stand.report(...unreadable(1e9), ...web('b', 2));
    await stand.sync();
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(isServed(stand, 2)).toBe(true);
  });

  test('is tried again by itself', async () => {
    const stand = begin();
    await stand.sync();
    stand.report(...unreadable(3), ...web('b', 2));
    await stand.settle(seconds(30));
    expect([isServed(stand, 1), isServed(stand, 2)]).toEqual([true, true]);
  });

  test('is counted as failed until it works', async () => {
    const states: ProxierState[] = [];
    const reporter = { ...recordingReporter(), state: (state: ProxierState) => states.push(state) };
    const stand = begin({ reporter });
    await stand.sync();
    stand.report(...unreadable(1e9), ...web('b', 2));
    await stand.settle(seconds(1));
    expect(states.at(-1)?.failedServices).toBe(1);
    stand.report(...web('a', 1));
    await stand.settle(seconds(1));
    expect(states.at(-1)?.failedServices).toBe(0);
  });

  test('keeps what it has in the kernel', async () => {
    const stand = begin();
    stand.report(...web('a', 1));
    await stand.sync();
    stand.report(...unreadable(1e9), ...web('b', 2));
    await stand.settle(seconds(60));
    expect([isServed(stand, 1), isServed(stand, 2)]).toEqual([true, true]);
  });

  test('is said at most once a minute', async () => {
    const clock = manualClock();
    const watch = new LogWatch(clock);
    const stand = begin({ clock, log: watch.log });
    await stand.sync();
    stand.report(...unreadable(1e9), ...web('b', 2));
    await stand.settle(seconds(300));
    expect(watch.unasked).toBeGreaterThan(1);
    expect(watch.repetitions).toEqual([]);
  });
});

/** The methods of a reporter, found on one that exists. */
const methods = Object.entries(recordingReporter()).flatMap(([name, value]) =>
  typeof value === 'function' ? [name] : [],
);

/**
 * Changes that call every method of a reporter: a conflict, an annotation that nobody understands, an address that is not honoured, a drain, drift. What the kernel
 * holds after each.
 */
async function live(stand: Stand): Promise<readonly string[]> {
  const dumps: string[] = [];
  const wait = async (milliseconds: number) => {
    await stand.settle(milliseconds);
    dumps.push(stand.kernel.dump());
  };
  const nodePort = { type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] } as const;
  const asked = {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 32_000,
    // Of a family in which it has no cluster IP: that is not honoured.
    loadBalancerIPs: [ip('2001:db8:203:113::80')],
  } as const;
  stand.report(...web('a', 1, nodePort), ...web('rival', 1), ...web('asked', 9, asked));
  await stand.sync();
  await wait(seconds(1));
  stand.report(setSlice(slice([], { serviceName: 'a', name: 'a-1', family: 'IPv4' })));
  await wait(seconds(2));
  stand.kernel.firewall.failWith = ({ call }) => (call === 'apply' ? 'EIO' : undefined);
  stand.kernel.firewall.flushAll('IPv4');
  await wait(seconds(31));
  stand.kernel.firewall.failWith = () => undefined;
  await wait(seconds(31));
  stand.report(...web('b', 2).map((change) => ({ ...change, problems })));
  await wait(seconds(1));
  stand.report(remove('Service', 'b'), remove('EndpointSlice', 'b-1'));
  await wait(seconds(8));
  const [virtualServer] = await stand.kernel.ipvs.virtualServers();
  if (virtualServer !== undefined)
    stand.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }]);
  await wait(seconds(45));
  return dumps;
}

const problems = [{ field: 'drain-timeout', message: 'not a duration' }];
const serviceOptionsOf = () => ({ drainTimeout: undefined, problems });

/** What the kernel holds if nothing throws. */
async function untroubled(): Promise<readonly string[]> {
  return await live(begin({ serviceOptionsOf }));
}

describe('a reporter that throws changes nothing', () => {
  test('every method is called by what is done here, save those of rarities', async () => {
    const called = new Set<string>();
    const reporter: Reporter = new Proxy(recordingReporter(), {
      get(reports, name) {
        called.add(String(name));
        return Reflect.get(reports, name) as unknown;
      },
    });
    await live(begin({ reporter, serviceOptionsOf }));
    expect(methods.filter((name) => !called.has(name))).toEqual(['reused', 'clientResets']);
  });

  async function expectNothing(broken: readonly string[]): Promise<void> {
    const reporter: Reporter = new Proxy(recordingReporter(), {
      get(reports, name) {
        if (!broken.includes(String(name))) return Reflect.get(reports, name) as unknown;
        return () => {
          throw new Error(`${String(name)} is broken`);
        };
      },
    });
    const stand = begin({ reporter, serviceOptionsOf });
    expect(await live(stand)).toEqual(await untroubled());
    expect(stand.proxier.graceful.size).toBe(0);
    expect(stand.log.lines().filter((line) => line.includes('a run failed'))).toEqual([]);
  }

  test.each(methods)('%s', (name) => expectNothing([name]));
  test('any of them', () => expectNothing(methods));
});

describe('what Services ask for', () => {
  test('may throw for one of them', async () => {
    const stand = begin({
      serviceOptionsOf({ name }) {
        if (name === 'a') throw new Error('no such option');
        return { drainTimeout: undefined, problems: [] };
      },
    });
    await stand.sync();
    stand.report(...web('a', 1), ...web('b', 2));
    await stand.settle(seconds(1));
    expect(isServed(stand, 2)).toBe(true);
  });
});

describe('a log that throws', () => {
  test('changes nothing', async () => {
    const clock = manualClock();
    const { log } = new LogWatch(clock, { breaks: () => true });
    const stand = begin({ clock, log, serviceOptionsOf });
    expect(await live(stand)).toEqual(await untroubled());
  });
});
