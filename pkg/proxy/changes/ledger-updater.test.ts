import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  endpoint,
  nodeContext as node,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { recordingReporter, setService, setSlice } from '../../../test/support/proxier.ts';
import { stretches } from '../../../test/support/stretches.ts';
import { families } from '../../ip/address.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import type { Endpoint } from '../../kube/types.ts';
import { recordingLogger } from '../../log/memory.ts';
import type { Clock } from '../../runner/clock.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import type { ServiceObjects } from '../desired/footprint.ts';
import { Ledger } from '../desired/ledger.ts';
import { guarded } from '../guarded-reporter.ts';
import { LedgerUpdater, type LedgerUpdaterOptions } from './ledger-updater.ts';
import { Store } from './store.ts';

/** Throws for one Service as long as it is told to. */
class FaultyStore extends Store {
  faulty = '';

  override objects(key: string): ServiceObjects | undefined {
    if (key === this.faulty) throw new Error('a fault in the store');
    return super.objects(key);
  }
}

class FaultyLedger extends Ledger {
  faulty = '';

  override set(...[footprint, ...rest]: Parameters<Ledger['set']>): ReturnType<Ledger['set']> {
    if (footprint.owner.key === this.faulty) throw new Error('a fault in the ledger');
    return super.set(footprint, ...rest);
  }
}

function stand(over: Partial<LedgerUpdaterOptions> & { clock?: Clock } = {}) {
  const clock = manualClock();
  const store = new FaultyStore(() => clock.now());
  const ledger = new FaultyLedger();
  const log = recordingLogger();
  const reporter = recordingReporter();
  const ledgerUpdater = new LedgerUpdater({
    store,
    ledger,
    clock,
    log,
    reporter,
    families,
    serviceOptionsOf: undefined,
    ...over,
  });
  const report = (...changes: readonly ReturnType<typeof setService>[]) => {
    for (const change of changes) store.apply(change);
  };
  return { clock, store, ledger, log, reporter, ledgerUpdater, report };
}

/** A Service with an address of its own. */
function numbered(index: number, name = `s${index}`) {
  return service({ name, clusterIPs: [ip(`172.30.1.${index}`)] });
}

function virtualServerAt(index: number, port = 80) {
  return virtualServerKey({ address: ip(`172.30.1.${index}`), protocol: 'TCP', port });
}

describe('a Service that cannot be entered', () => {
  test.each(['store', 'ledger'] as const)(
    'because of a fault in the %s concerns nobody else, and is tried again until it can',
    async (part) => {
      const { ledgerUpdater, clock, log, report, ...parts } = stand();
      report(setService(numbered(1)), setService(numbered(2)), setService(numbered(3)));
      parts[part].faulty = 'shop/s2';
      const first = await ledgerUpdater.enter(node);
      expect([...first.keys.virtualServers].sort()).toEqual([
        virtualServerAt(1),
        virtualServerAt(3),
      ]);
      expect([ledgerUpdater.failedServices, first.next]).toEqual([1, 500]);
      for (const pause of [500, 1_000, 2_000]) {
        await clock.advance(pause - 1);
        expect((await ledgerUpdater.enter(node)).next).toBe(clock.now() + 1);
        await clock.advance(1);
        expect((await ledgerUpdater.enter(node)).keys.isEmpty).toBe(true);
      }
      const lines = log.lines().filter((line) => line.includes('could not work out'));
      expect(lines).toEqual([expect.stringContaining('shop/s2')]);
      parts[part].faulty = '';
      await clock.advance(4_000);
      const last = await ledgerUpdater.enter(node);
      expect([[...last.keys.virtualServers], last.next]).toEqual([[virtualServerAt(2)], undefined]);
      expect(ledgerUpdater.failedServices).toBe(0);
    },
  );

  test('is tried again at once when it changes', async () => {
    const { ledgerUpdater, store, report } = stand();
    store.faulty = 'shop/s1';
    report(setService(numbered(1)));
    await ledgerUpdater.enter(node);
    store.faulty = '';
    report(setService(numbered(1)));
    expect([...(await ledgerUpdater.enter(node)).keys.virtualServers]).toEqual([
      virtualServerAt(1),
    ]);
    expect(ledgerUpdater.failedServices).toBe(0);
  });

  test('is forgotten when it is deleted', async () => {
    const { ledgerUpdater, store, report } = stand();
    store.faulty = 'shop/s1';
    report(setService(numbered(1)));
    await ledgerUpdater.enter(node);
    store.faulty = '';
    store.apply({ type: 'delete', kind: 'Service', name: { namespace: 'shop', name: 's1' } });
    expect([(await ledgerUpdater.enter(node)).next, ledgerUpdater.failedServices]).toEqual([
      undefined,
      0,
    ]);
  });
});

describe('a fault beside a Service', () => {
  const fault = () => {
    throw new Error('a fault');
  };

  test('in its annotations leaves them out, and says so', async () => {
    const { ledgerUpdater, ledger, reporter, report } = stand({ serviceOptionsOf: fault });
    report(setService(numbered(1)));
    await ledgerUpdater.enter(node);
    expect(ledger.wants(virtualServerAt(1))).toBe(true);
    expect(reporter.annotations).toEqual(['s1: a fault']);
  });

  test('in what hears of it is logged once, and changes nothing', async () => {
    const log = recordingLogger();
    const reporter = guarded({ ...recordingReporter(), conflict: fault }, log);
    const { ledgerUpdater, ledger, report } = stand({ reporter });
    report(...[1, 2, 3].map((created) => setService({ ...numbered(1, `s${created}`), created })));
    await ledgerUpdater.enter(node);
    expect([ledger.conflicts.conflictCount, ledgerUpdater.failedServices]).toEqual([2, 0]);
    expect(log.lines()).toEqual([expect.stringContaining('a report failed')]);
  });
});

describe('a big Service', () => {
  const ports = Array.from({ length: 4_000 }, (_, index) =>
    servicePort({ name: `p${index}`, port: index + 1 }),
  );
  const big = { ...numbered(1, 'big'), ports };

  /** Each look at this clock takes a twentieth of a millisecond. */
  function busyClock(): Clock {
    let now = 0;
    return { ...manualClock(), now: () => (now += 0.05) };
  }

  test('does not keep others waiting', async () => {
    const { ledgerUpdater, ledger, report } = stand({ clock: busyClock() });
    const wanted = (port: number) => ledger.wants(virtualServerAt(1, port));
    report(
      setService({ ...big, ports: ports.slice(0, 1) }),
      setService(big),
      setService(numbered(2)),
    );
    const first = await ledgerUpdater.enter(node);
    expect([ledger.wants(virtualServerAt(2)), wanted(1), wanted(4_000)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(first.keys.virtualServers.size).toBeGreaterThan(100);
    report(setService(numbered(3)));
    let rounds = 0;
    for (let next = first.next; next !== undefined; rounds++)
      ({ next } = await ledgerUpdater.enter(node));
    expect([ledger.wants(virtualServerAt(3)), wanted(4_000)]).toEqual([true, true]);
    expect(rounds).toBeGreaterThan(0);
  });

  test('that changes while it is entered is entered anew', async () => {
    const { ledgerUpdater, ledger, store, report } = stand({ clock: busyClock() });
    report(setService(big));
    let { next } = await ledgerUpdater.enter(node);
    expect(next).toBeDefined();
    store.apply({ type: 'delete', kind: 'Service', name: { namespace: 'shop', name: 'big' } });
    while (next !== undefined) ({ next } = await ledgerUpdater.enter(node));
    expect([...ledger.footprints('shop/big')]).toEqual([]);
    expect(ledger.wants(virtualServerAt(1, 1))).toBe(false);
  });

  test('is entered whole where that is asked for', async () => {
    const { ledgerUpdater, ledger, report } = stand({ clock: busyClock() });
    report(setService(big));
    const { next, keys } = await ledgerUpdater.enter(node, { isComplete: true });
    expect(next).toBeUndefined();
    expect(ledger.wants(virtualServerAt(1, 4_000))).toBe(true);
    // All of them are planned after that: none is collected.
    expect(keys.isEmpty).toBe(true);
  });

  test('is collected again by its keys after all were entered', async () => {
    const { ledgerUpdater, report } = stand();
    report(setService(numbered(1)));
    await ledgerUpdater.enter(node, { isComplete: true });
    report(setService(numbered(2)));
    const { keys } = await ledgerUpdater.enter(node);
    expect([...keys.virtualServers]).toEqual([virtualServerAt(2)]);
  });

  test.each(['ports', 'endpoints'] as const)(
    'with many %s lets the event loop turn',
    async (kind) => {
      let work = 0;
      // What is read of the objects is the work: a hundred of them take a millisecond.
      const counted = <T extends object>(object: T): T =>
        new Proxy(object, {
          get(target, name) {
            if (name === 'address' || name === 'port') work++;
            return Reflect.get(target, name) as unknown;
          },
        });
      const { ledgerUpdater, report } = stand({
        clock: { ...manualClock(), now: () => work / 100 },
      });
      if (kind === 'ports') report(setService({ ...big, ports: ports.map(counted) }));
      else report(setService(numbered(1, 'big')), ...slicesOf(20, counted));
      work = 0;
      const { longest } = await stretches(
        () => work,
        () => ledgerUpdater.enter(node, { isComplete: true }),
      );
      expect(work).toBeGreaterThanOrEqual(5_000);
      expect(longest).toBeLessThan(1_500);
    },
  );
});

/** Slices of the Service `big` with 250 endpoints each. */
function slicesOf(count: number, counted: (object: Endpoint) => Endpoint) {
  return Array.from({ length: count }, (_, index) => {
    const name = `big-${index}`;
    const pods = Array.from({ length: 250 }, (__, pod) =>
      endpoint(`10.0.${index}.${pod}`, { slice: name }),
    );
    return setSlice(slice(pods.map(counted), { name, serviceName: 'big', family: 'IPv4' }));
  });
}
