import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { proxierSettings } from '../../../test/support/proxier-settings.ts';
import { stretches } from '../../../test/support/stretches.ts';
import {
  keyedVirtualServer,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import { recordingLogger } from '../../log/memory.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import { Mutex } from '../../runner/mutex.ts';
import { Ledger } from '../desired/ledger.ts';
import { VipRoutes } from '../desired/vip-routes.ts';
import { kernelOf } from '../options.ts';
import { masqueraded } from '../plan/operation.ts';
import { ForeignVips } from './foreign-vips.ts';
import { Audit } from './kernel-reader.ts';
import { Mirror } from './mirror.ts';

// How many questions an audit asks the kernel.

const ports = [80, 81, 82];
const virtualServers = ports.map(
  (port): VirtualServerId => ({ address: ip('172.30.0.1'), protocol: 'TCP', port }),
);
const [first] = virtualServers as [VirtualServerId];

async function started(): Promise<Stand> {
  const stand = new Stand({ kernel: new FakeKernel() });
  const named = ports.map((port) => servicePort({ name: `p${port}`, port }));
  const endpoints = ports.map((port) => ({ name: `p${port}`, protocol: 'TCP' as const, port }));
  stand.report(
    setService(service({ clusterIPs: [ip('172.30.0.1')], ports: named })),
    setSlice(slice([endpoint('10.0.1.1'), endpoint('10.0.1.2')], { ports: endpoints })),
  );
  await stand.sync();
  await stand.settle(seconds(1));
  return stand;
}

/** The questions of the audits of half an hour: dumps of virtual servers, of real servers, and single virtual servers. */
async function asked(stand: Stand): Promise<readonly number[]> {
  const { ipvs } = stand.kernel;
  const before = { ...ipvs.calls };
  await stand.settle(minutes(30));
  const names = ['virtualServers', 'realServers', 'virtualServer'] as const;
  return names.map((name) => ipvs.calls[name] - before[name]);
}

test('a first sync asks for no virtual server by its key', async () => {
  const stand = await started();
  expect(stand.kernel.ipvs.calls).toMatchObject({ virtualServer: 0 });
  await stand.stop();
});

test('an audit that finds nothing dumps each virtual server once, and asks for none by its key', async () => {
  const stand = await started();
  const [dumps = 0, ...others] = await asked(stand);
  expect(dumps).toBeGreaterThan(10);
  expect(others).toEqual([dumps * ports.length, 0]);
  await stand.stop();
});

test('a virtual server that the dump passes over is asked for', async () => {
  const stand = await started();
  const { ipvs } = stand.kernel;
  const dump = ipvs.virtualServers.bind(ipvs);
  ipvs.virtualServers = async () => (await dump()).filter(({ port }) => port !== first.port);
  const [dumps = 0, , single] = await asked(stand);
  expect(single).toBe(dumps);
  expect(stand.reports.repairs).toEqual([]);
  await stand.stop();
});

test('however much is wanted, the event loop turns while an audit goes through it', async () => {
  let work = 0;
  function* counted<T>(make: (index: number) => T): Generator<T> {
    for (let index = 0; index < 2_000; index++) {
      work++;
      yield make(index);
    }
  }
  const address = (index: number) => ip(`172.30.${index >> 8}.${index & 0xff}`);
  const ledger = {
    frontEnd: () => undefined,
    entryCount: () => 0,
    wantsAddress: () => true,
    addresses: () => counted(address),
    closeRanges: () => undefined,
    entries: (set: string) =>
      set === 'KUBE-IPVS-IPS'
        ? counted((index) => ({ type: 'hash:ip', ip: address(index) }) as const)
        : [],
    virtualServers: () => counted(String),
  };
  const mirror = new Mirror();
  // A hundred objects take a millisecond.
  const now = () => work / 100;
  const kernel = new FakeKernel();
  const reporter = { stageTook: () => undefined };
  const common = { mirror, ledger, families: ['IPv4' as const], excluded: [], reporter, now };
  const steps = new Audit({ ...kernelOf(kernel), ...common, ...vipReading(ledger) });
  const { longest } = await stretches(
    () => work,
    () =>
      new Mutex().run(async (token) => {
        while (await steps.next(token));
      }),
  );
  expect(work).toBe(6_000);
  expect(longest).toBeLessThan(1_500);
});

describe('between the dump and the step that reads a virtual server', () => {
  const parameters = { scheduler: 'rr', flags: 0, timeout: 0, prefixLength: 32 };
  const standing = virtualServers.map((id) =>
    keyedVirtualServer({ ...id, ...parameters, persistenceEngine: '' }),
  );
  const key = virtualServerKey(virtualServers[2] ?? first);
  const realServer = masqueraded({ address: ip('10.0.1.1'), port: 80, weight: 1 });

  /** Reads a kernel with three virtual servers, a step each; what is done before the second step. */
  async function audit(act: (kernel: FakeKernel, mirror: Mirror) => void): Promise<Mirror> {
    const kernel = new FakeKernel();
    const mirror = new Mirror();
    const writes = standing.flatMap((virtualServer) => [
      { kind: 'addVirtualServer', virtualServer } as const,
      { kind: 'addRealServer', virtualServer, realServer } as const,
    ]);
    kernel.ipvs.write(writes);
    for (const write of writes) mirror.recordWrite(write);
    let time = 0;
    const now = () => (time += seconds(1));
    const ledger = new Ledger();
    const common = { mirror, ledger, families: ['IPv4' as const], excluded: [], now };
    const { ipvs, ipsets, links, routes } = kernel;
    const reporter = { stageTook: () => undefined };
    const reading = { ipvs, ipsets, links, routes, reporter, ...vipReading(ledger) };
    const steps = new Audit({ ...reading, ...common });
    await new Mutex().run(async (token) => {
      for (let step = await steps.next(token); step; step = await steps.next(token))
        if (step.keys.virtualServers.size === 1 && time < seconds(100)) {
          time = seconds(100);
          act(kernel, mirror);
        }
    });
    return mirror;
  }

  test('what was written counts, and not what the dump said', async () => {
    const virtualServer = { ...standing[2], scheduler: 'lc' } as VirtualServer;
    const write = { kind: 'updateVirtualServer', virtualServer } as const;
    const mirror = await audit((kernel, known) => {
      kernel.ipvs.write([write]);
      known.recordWrite(write);
    });
    expect(mirror.virtualServers.get(key)?.virtualServer.scheduler).toBe('lc');
  });

  test('one that somebody deleted is known to be gone', async () => {
    const mirror = await audit(({ ipvs }) => {
      ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: virtualServers[2] ?? first }]);
    });
    expect(mirror.virtualServers.has(key)).toBe(false);
  });
});

/** What an audit needs about VIPs that are addresses of the device. */
function vipReading(ledger: Pick<Ledger, 'closeRanges'>) {
  const log = recordingLogger();
  const vipRoutes = new VipRoutes({ ...proxierSettings, ledger, log, node: () => undefined });
  return { vipRoutes, foreignVips: new ForeignVips(log) };
}
