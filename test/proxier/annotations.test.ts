import { afterEach, describe, expect, test } from 'vitest';
import type { ServiceOptions } from '../../pkg/kube/annotations.ts';
import type { Change, Service } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { recordingReporter, remove, Stand, setService, setSlice } from '../support/proxier.ts';

// What Services ask for by annotations, and what is said of a Service to its owner.

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const dying = { ...two, ready: false, serving: false, terminating: true };
const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

/** An annotation is a number of seconds here. */
function serviceOptionsOf({ annotations }: Service): ServiceOptions {
  const text = annotations['drain-timeout'];
  if (text === undefined) return { drainTimeout: undefined, problems: [] };
  const value = Number(text);
  if (!Number.isNaN(value)) return { drainTimeout: seconds(value), problems: [] };
  return { drainTimeout: undefined, problems: [{ field: 'f', message: `${text} is wrong` }] };
}

async function start(
  over: ConstructorParameters<typeof Stand>[0] = { serviceOptionsOf },
): Promise<Stand> {
  const stand = new Stand(over);
  stands.push(stand);
  return stand;
}

function annotated(drainTimeout?: string): Service {
  return service({
    annotations: drainTimeout === undefined ? {} : { 'drain-timeout': drainTimeout },
  });
}

/** After how many seconds the real server of a dying pod with a connection is deleted; at most 20 min. */
async function drainSeconds(stand: Stand, object: Service): Promise<number> {
  stand.report(setService(object), setSlice(slice([one, two])));
  await stand.sync();
  const { ipvs } = stand.kernel;
  ipvs.setCounters(web, { address: two.address, port: 8080 }, { activeConnections: 1 });
  stand.report(setSlice(slice([one, dying])));
  await stand.settle();
  for (let passed = 0; passed <= 1_200; passed += 5) {
    if ((await ipvs.realServers(web)).length === 1) return passed;
    await stand.settle(seconds(5));
  }
  return Number.POSITIVE_INFINITY;
}

describe('the drain timeout', () => {
  test.each([
    ['of a Service counts before that of the flag', annotated('30'), 30],
    ['of a Service that says nothing is that of the flag', annotated(), 900],
    ['of a Service that says something wrong is that of the flag', annotated('soon'), 900],
    ['of 0 is none', annotated('0'), Number.POSITIVE_INFINITY],
  ])('%s', async (_, object, expected) => {
    expect(await drainSeconds(await start(), object)).toBe(expected);
  });

  test('of a Service does not count unless Services are asked', async () => {
    const stand = await start({});
    expect(await drainSeconds(stand, annotated('30'))).toBe(900);
    expect(stand.reports.annotations).toEqual([]);
  });

  test('may change while a real server drains', async () => {
    const stand = await start();
    stand.report(setService(annotated()), setSlice(slice([one, two])));
    await stand.sync();
    const { ipvs } = stand.kernel;
    ipvs.setCounters(web, { address: two.address, port: 8080 }, { activeConnections: 1 });
    stand.report(setSlice(slice([one, dying])));
    await stand.settle(minutes(2));
    stand.report(setService(annotated('60')));
    await stand.settle(minutes(1));
    expect(stand.reports.drains).toEqual(['deadline']);
  });
});

describe('a wrong annotation is reported', () => {
  test('once, however often its Service changes, and again when it is another', async () => {
    const stand = await start();
    stand.report(setService(annotated('soon')));
    await stand.sync();
    stand.report(setSlice(slice([one, two])));
    await stand.settle();
    stand.report(setSlice(slice([one])));
    await stand.settle(seconds(5));
    expect(stand.reports.annotations).toEqual(['web: soon is wrong']);
    stand.report(setService(annotated('later')));
    await stand.settle();
    expect(stand.reports.annotations).toEqual(['web: soon is wrong', 'web: later is wrong']);
    expect(stand.log.lines()).toContain(
      'error invalid annotation {"service":"shop/web","problems":"f: later is wrong"}',
    );
  });

  test('again when it was right or gone in between', async () => {
    const stand = await start();
    const reported = async (change: Change) => {
      stand.report(change);
      await stand.settle();
      return stand.reports.annotations.length;
    };
    stand.report(setService(annotated('soon')));
    await stand.sync();
    expect(await reported(setService(annotated('30')))).toBe(1);
    expect(await reported(setService(annotated('soon')))).toBe(2);
    expect(await reported(remove('Service', 'web'))).toBe(2);
    expect(await reported(setService(annotated('soon')))).toBe(3);
  });
});

describe('a Service is reported', () => {
  test('by its uid that another one has its virtual server', async () => {
    const reported: unknown[] = [];
    const reporter = {
      ...recordingReporter(),
      conflict: (_: unknown, about: unknown) => reported.push(about),
    };
    const stand = await start({ reporter });
    stand.report(
      setService(service({ created: 1 })),
      setService(service({ name: 'late', created: 2, uid: 'late-uid' })),
    );
    await stand.sync();
    expect(reported).toEqual([
      {
        virtualServer: expect.objectContaining(web),
        loser: expect.objectContaining({ namespace: 'shop', name: 'late', uid: 'late-uid' }),
        others: 0,
      },
    ]);
  });

  test('by its uid that a drain ended; nobody is if the Service is gone', async () => {
    const reported: unknown[] = [];
    const reporter = {
      ...recordingReporter(),
      drainEnded: (_: unknown, about: unknown) => reported.push(about),
    };
    const stand = await start({ reporter });
    stand.report(setService(service()), setSlice(slice([one, two])));
    await stand.sync();
    stand.report(setSlice(slice([one, dying])));
    await stand.settle();
    expect(reported).toEqual([expect.objectContaining({ name: 'web', uid: 'service-uid' })]);
    stand.report(remove('Service', 'web'));
    await stand.settle();
    expect(reported.slice(1)).toEqual([undefined]);
  });
});
