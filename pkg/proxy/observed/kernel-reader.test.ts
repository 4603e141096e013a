import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  endpoint,
  nodeContext,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import { proxierSettings } from '../../../test/support/proxier-settings.ts';
import { stretches } from '../../../test/support/stretches.ts';
import { entryKey } from '../../ipset/ipset.ts';
import {
  type IpvsWrite,
  keyedVirtualServer,
  type VirtualServer,
  type VirtualServerId,
  virtualServerKey,
} from '../../ipvs/ipvs.ts';
import type { PodIdentity } from '../../kube/types.ts';
import { recordingLogger } from '../../log/memory.ts';
import { minutes, seconds } from '../../runner/clock.ts';
import { Mutex, type MutexToken } from '../../runner/mutex.ts';
import { VipMoves, type VipMovesOptions } from '../apply/vip-moves.ts';
import { deviceName } from '../desired/device.ts';
import { footprint } from '../desired/footprints.ts';
import { Keys } from '../desired/keys.ts';
import { Ledger } from '../desired/ledger.ts';
import { masqueraded } from '../desired/real-servers.ts';
import { setHeader, setIds } from '../desired/sets.ts';
import { VipRoutes } from '../desired/vip-routes.ts';
import { kernelOf } from '../options.ts';
import { auditStep } from '../reading.ts';
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
    wantsEntry: () => false,
  };
  const mirror = new Mirror();
  // A hundred objects take a millisecond.
  const now = () => work / 100;
  const kernel = new FakeKernel();
  const reporter = { stageTook: () => undefined };
  const common = { mirror, ledger, families: ['IPv4' as const], excluded: [], reporter, now };
  const audit = new Audit({ ...kernelOf(kernel), ...common });
  const vipMoves = vipMovesOf({ ledger, mirror, now });
  const { longest } = await stretches(
    () => work,
    () =>
      new Mutex().run(async (token) => {
        while (await stepOf(audit, { vipMoves, token }));
      }),
  );
  expect(work).toBe(6_000);
  expect(longest).toBeLessThan(1_500);
});

test('what is as it is wanted is not planned again, and what somebody changed is', async () => {
  const { ledger, mirror, kernel } = asWanted();
  const common = { mirror, ledger, families: ['IPv4' as const], excluded: [], now: () => 0 };
  const reporter = { stageTook: () => undefined };
  const named = async () => {
    const audit = new Audit({ ...kernelOf(kernel), ...common, reporter });
    const vipMoves = vipMovesOf(common);
    const keys = new Keys();
    await new Mutex().run(async (token) => {
      const next = () => stepOf(audit, { vipMoves, token });
      for (let read = await next(); read; read = await next()) keys.add(read);
    });
    const { virtualServers, entries, addresses } = keys;
    return [virtualServers, addresses, new Set(entries.keys())].map((some) => [...some]);
  };
  expect(await named()).toEqual([[], [], []]);
  const before = new Map(mirror.sets);
  const set = 'KUBE-CLUSTER-IP';
  // Wanted ones are the ledger's objects.
  expect(ledger.entryCount(set)).toBe(1);
  for (const entry of ledger.entries(set))
    expect(before.get(set)?.get(entryKey(entry))).toBe(entry);
  for (const [key, entry] of before.get(set) ?? []) {
    mirror.recordFailedEntry(set, entry);
    expect(mirror.hasEntry(set, key)).toBeUndefined();
  }
  expect(await named()).toEqual([[], [], []]);
  for (const [name, entries] of before) expect(mirror.sets.get(name)).toBe(entries);
  for (const key of before.get(set)?.keys() ?? []) expect(mirror.hasEntry(set, key)).toBe(true);
  const [virtualServer = first] = [...mirror.virtualServers.values()].map(
    (held) => held.virtualServer,
  );
  kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer }]);
  kernel.links.write([{ kind: 'unbindAddress', link: deviceName, address: virtualServer.address }]);
  const entry = { type: 'hash:ip', ip: virtualServer.address } as const;
  kernel.ipsets.write([{ kind: 'deleteEntry', set: 'KUBE-IPVS-IPS', entry }]);
  expect(await named()).toEqual([
    [virtualServerKey(virtualServer)],
    [virtualServer.address],
    ['KUBE-IPVS-IPS'],
  ]);
  expect(mirror.hasEntry('KUBE-IPVS-IPS', entryKey(entry))).toBe(false);
  // In place of one that is gone there is one that nobody knows.
  const stranger = { type: 'hash:ip', ip: ip('172.30.99.99') } as const;
  kernel.ipsets.write([{ kind: 'addEntry', set: 'KUBE-IPVS-IPS', entry: stranger }]);
  mirror.recordEntry('KUBE-IPVS-IPS', { entry, isPresent: true });
  await named();
  expect(mirror.hasEntry('KUBE-IPVS-IPS', entryKey(entry))).toBe(false);
  expect(mirror.hasEntry('KUBE-IPVS-IPS', entryKey(stranger))).toBe(true);
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
    const reading = { ipvs, ipsets, links, routes, reporter };
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

/** A Service with its ledger, and a kernel that holds all of it, which the mirror knows. */
function asWanted(): { ledger: Ledger; mirror: Mirror; kernel: FakeKernel } {
  const kernel = new FakeKernel();
  const mirror = new Mirror();
  const ledger = new Ledger();
  const touched = new Keys();
  const objects = { service: service(), slices: [slice([endpoint('10.0.1.1')])], vanished: [] };
  ledger.set(footprint(objects, nodeContext), { touched });
  kernel.links.ensureDummy(deviceName);
  for (const address of ledger.addresses())
    kernel.links.write([{ kind: 'bindAddress', link: deviceName, address }]);
  for (const id of setIds) kernel.ipsets.create(setHeader(id, 'IPv4'));
  // The kernel has objects of its own.
  for (const [set, entries] of touched.entries)
    for (const entry of entries.values())
      kernel.ipsets.write([{ kind: 'addEntry', set, entry: { ...entry } }]);
  for (const key of touched.virtualServers) {
    const frontEnd = ledger.frontEnd(key);
    if (frontEnd === undefined) continue;
    const { virtualServer } = frontEnd;
    const real = frontEnd.realServers.values();
    const write = (one: IpvsWrite, podUid?: PodIdentity) => {
      kernel.ipvs.write([one]);
      mirror.recordWrite(one, podUid);
    };
    write({ kind: 'addVirtualServer', virtualServer });
    for (const { podUid, ...one } of real)
      write({ kind: 'addRealServer', virtualServer, realServer: masqueraded(one) }, podUid);
  }
  return { ledger, mirror, kernel };
}

/** What follows the addresses that an audit reads, where VIPs are addresses of the device. */
function vipMovesOf(
  sources: Pick<VipMovesOptions, 'mirror' | 'now'> & {
    readonly ledger: Pick<Ledger, 'closeRanges'> & VipMovesOptions['ledger'];
  },
): VipMoves {
  const { ledger } = sources;
  const log = recordingLogger();
  const vipRoutes = new VipRoutes({ ...proxierSettings, ledger, log, node: () => undefined });
  return new VipMoves({ ...sources, vipRoutes, foreignVips: new ForeignVips(log) });
}

/** One step of an audit that finds no sets to replace. */
function stepOf(
  audit: Audit,
  { vipMoves, token }: { readonly vipMoves: VipMoves; readonly token: MutexToken },
): Promise<Keys | undefined> {
  const setReplacer = { replace: () => Promise.resolve() };
  return auditStep({ vipMoves, setReplacer }, { audit, token });
}
